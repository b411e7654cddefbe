"""What a typed client sends of a manifest is stored as the manifest's author wrote it: `flux diff` sees no drift."""

import pytest

from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.typed_zeros import without_zeros

POD = {"containers": [{"name": "a", "image": "x:1"}], "initContainers": [{"name": "b", "image": "x:1"}]}
TYPED_POD = {
    "containers": [{"name": "a", "image": "x:1", "resources": {}}],
    "initContainers": [{"name": "b", "image": "x:1", "resources": {}}],
}


def made(api_version, kind, spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def templated(pod, labels=None, **spec):
    return {"template": {"metadata": labels or {"labels": {"app": "web"}}, "spec": pod}, **spec}


PAIRS = [
    (made("v1", "Pod", POD), made("v1", "Pod", TYPED_POD)),
    (
        made("apps/v1", "Deployment", templated(POD)),
        made("apps/v1", "Deployment", templated(TYPED_POD, {"labels": {"app": "web"}, "creationTimestamp": None})),
    ),
    (
        made("apps/v1", "StatefulSet", templated(POD)),
        made("apps/v1", "StatefulSet", templated(TYPED_POD, updateStrategy={})),
    ),
    (
        made("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": {"spec": POD}}}}),
        made(
            "batch/v1", "CronJob",
            {"jobTemplate": {"metadata": {}, "spec": {"template": {"metadata": {}, "spec": TYPED_POD}}}},
        ),
    ),
    (
        made("v1", "Service", {"ports": [{"port": 80}]}),
        made("v1", "Service", {"ports": [{"port": 80, "targetPort": 0}]}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("plain", "typed"), PAIRS, ids=[plain["kind"] for plain, _ in PAIRS])
def test_the_zeros_of_typed_clients_are_left_out(plain, typed):
    assert without_zeros(typed) == plain
    assert without_zeros(plain) == plain


@pytest.mark.parametrize(
    "obj",
    [
        made(
            "v1", "Pod", {"volumes": [{"name": "tmp", "emptyDir": {}}], "containers": [{"resources": {"limits": {}}}]}
        ),
        made("networking.k8s.io/v1", "NetworkPolicy", {"podSelector": {}}),
        made("v1", "Service", {"ports": [{"port": 80, "targetPort": False}, "odd"]}),
        made("v1", "Service", {"ports": {"odd": 1}}),
        made("apps/v1", "Deployment", {"template": []}),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}},
    ],
)
def test_what_may_be_meant_and_what_is_odd_stays(obj):
    assert without_zeros(obj) == obj


@pytest.mark.parametrize(("plain", "typed"), PAIRS, ids=[plain["kind"] for plain, _ in PAIRS])
async def test_a_typed_apply_over_the_plain_one_changes_nothing(tmp_path, plain, typed):
    store = SqliteStore(tmp_path / "store.db", SystemClock())
    try:
        live = (await store.apply(plain, manager="kustomize-controller")).object
        dry = await store.apply(typed, manager="kustomize-controller", force=True, dry_run=True)
        assert not dry.changed
        assert {**dry.object, "metadata": 0} == {**live, "metadata": 0}
        for field in ("generation", "resourceVersion"):
            assert dry.object["metadata"].get(field) == live["metadata"].get(field)
    finally:
        store.close()
