"""A scan that gave no list: what the object says in Flux's words, and how one that is held back stays as it was."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tidegate.base.errors import Denied, InvalidInput, RateLimited, TidegateError, Unavailable
from tidegate.engine.file_tags import FileTags
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Ready, Waiting
from tidegate.engine.status import status_patch
from tidegate.kinds.conditions import find
from tidegate.scan.controller import ImageRepositoryController
from tidegate.scan.failures import held_back, scan_failed

IMAGE = "ghcr.io/me/web"
NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
LIMITED = RateLimited("the registry ghcr.io asks to wait 120 s (429)", retry_after=120, remedy="ask less often")


def image_repository(**status):
    return {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImageRepository",
        "metadata": {"name": "web", "namespace": "flux-system", "generation": 2},
        "spec": {"image": IMAGE, "interval": "1m"},
        "status": status,
    }


def scanned(ready="True", generation=2, image=IMAGE):
    condition = {"type": "Ready", "status": ready, "reason": "Succeeded", "message": "successful scan: found 3 tags"}
    return image_repository(conditions=[condition], observedGeneration=generation, canonicalImageName=image)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            Denied("the registry ghcr.io answered 403", remedy="log in"),
            "scan failed: the registry ghcr.io answered 403",
        ),
        (Unavailable("no answer"), "scan failed: no answer"),
    ],
)
def test_failures_have_fluxs_reason_and_words_and_keep_the_next_step(error, message):
    found = scan_failed(error)
    assert (found.code, str(found), found.remedy) == ("ReadOperationFailed", message, error.remedy)
    assert isinstance(found, type(error))


def test_a_failure_with_a_reason_of_its_own_keeps_it():
    error = InvalidInput("failed to parse CA certificate", code="AuthenticationFailed")
    assert scan_failed(error).code == "AuthenticationFailed"
    assert str(error) == "failed to parse CA certificate"


def test_an_object_whose_result_holds_stays_ready_and_says_until_when_nothing_newer_comes():
    obj = scanned()
    outcome = held_back(obj, IMAGE, LIMITED, NOW)
    assert isinstance(outcome, Ready)
    assert (outcome.requeue_after, outcome.event) == (120, None)
    patch = status_patch(obj, outcome, "2026-10-21T07:28:00Z")
    assert find(patch["conditions"], "Ready")["message"] == "successful scan: found 3 tags"
    limited = find(patch["conditions"], "RateLimited")
    assert (limited["status"], limited["reason"]) == ("True", "RateLimited")
    assert limited["message"].startswith("no scan before 2026-10-21T07:30:00Z: the registry ghcr.io asks to wait 120 s")
    assert "lastScanResult" not in patch


@pytest.mark.parametrize(
    "obj",
    [image_repository(), scanned(ready="False"), scanned(generation=1), scanned(image="ghcr.io/me/other")],
    ids=["never scanned", "failed before", "changed since", "another image"],
)
def test_an_object_without_a_result_waits_and_says_until_when(obj):
    outcome = held_back(obj, IMAGE, LIMITED, NOW)
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.requeue_after) == ("RateLimited", 120)
    assert outcome.on.startswith("no scan before 2026-10-21T07:30:00Z")
    assert "ask less often" in outcome.on


def test_a_wait_that_is_nearly_over_is_no_busy_loop():
    for wait in (0.0, 0.001, 3.0):
        assert held_back(scanned(), IMAGE, RateLimited("x", retry_after=wait), NOW).requeue_after == 10


class Failing:
    def __init__(self, error):
        self.error = error

    def using(self, access):
        return self

    async def tags(self, repository):
        raise self.error


async def test_the_controller_holds_back_and_fails_so(tmp_path):
    context = SimpleNamespace(store=None, clock=ManualClock())
    controller = ImageRepositoryController(Failing(LIMITED), FileTags(tmp_path))
    assert isinstance(await controller.reconcile(image_repository(), context), Waiting)
    controller = ImageRepositoryController(Failing(Denied("no")), FileTags(tmp_path))
    with pytest.raises(TidegateError, match="scan failed: no"):
        await controller.reconcile(image_repository(), context)
