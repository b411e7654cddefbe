"""A controller's log lines have the fields by which `flux logs` prints and filters them."""

import json
import logging

import pytest

from tidegate.engine.events import EventRecorder
from tidegate.engine.logs import ControllerLogs, JsonLines
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey

APPS = ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "apps")


def line(message, level=logging.INFO, **extra):
    record = logging.LogRecord("tidegate.kustomize-controller", level, __file__, 1, message, (), None)
    record.__dict__ |= extra
    return json.loads(JsonLines().format(record))


def test_a_line_about_an_object_names_it_as_flux_s_lines_do():
    told = line("waits", object=APPS)
    assert {
        name: told[name] for name in ("level", "msg", "controllerGroup", "controllerKind", "name", "namespace")
    } == {
        "level": "info",
        "msg": "waits",
        "controllerGroup": "kustomize.toolkit.fluxcd.io",
        "controllerKind": "Kustomization",
        "name": "apps",
        "namespace": "flux-system",
    }
    assert told["ts"].endswith("Z")


def test_a_line_about_no_object_names_none():
    assert line("holding the lease").keys() == {"level", "ts", "msg", "controller"}
    assert line("odd", object="a string").keys() == {"level", "ts", "msg", "controller"}


@pytest.mark.asyncio
async def test_an_event_s_line_names_what_it_is_about(tmp_path):
    logs = ControllerLogs(tmp_path / "logs")
    clock = ManualClock()
    store = SqliteStore(tmp_path / "store.db", clock)
    logs.start(["kustomize-controller"])
    try:
        obj = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
        obj["metadata"] = {"name": "apps", "namespace": "flux-system"}
        await EventRecorder(store, clock, "kustomize-controller").warning(obj, "BuildFailed", "no such path")
    finally:
        logs.stop(["kustomize-controller"])
        store.close()
    [text] = logs.lines("kustomize-controller")
    told = json.loads(text)
    assert (told["level"], told["controllerKind"], told["name"], told["namespace"], told["reason"]) == (
        "error", "Kustomization", "apps", "flux-system", "BuildFailed",
    )  # fmt: skip
