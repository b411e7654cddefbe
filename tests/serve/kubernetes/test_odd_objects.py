"""Objects of any shape: stored, merged and shown, or refused with a Status; never a crash."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.base.errors import TidegateError
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.kinds.resources import KNOWN
from tidegate.serve.kubernetes.scaling import scale_of
from tidegate.serve.kubernetes.tables import columns_for, row

WORDS = (
    "spec", "status", "template", "containers", "name", "ports", "port", "protocol", "replicas", "selector",
    "matchLabels", "matchExpressions", "values", "conditions", "type", "strategy", "rollingUpdate", "rules", "host",
    "containerStatuses", "state", "waiting", "terminated", "data", "stringData", "involvedObject", "lastTimestamp",
    "count", "accessModes", "externalIPs", "loadBalancer", "ingress", "lastScanResult", "latestRef", "suspend",
)  # fmt: skip
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text(max_size=2)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=15,
)
BODY = st.dictionaries(st.sampled_from(WORDS), ODD, max_size=5)
NOW = datetime(2026, 1, 15, tzinfo=UTC)


async def take_through(resource, first, second, status, path):
    store = SqliteStore(path, ManualClock())
    metadata = {"name": "x"} | ({"namespace": "web"} if resource.namespaced else {})
    base = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    try:
        for step in (
            lambda: store.create(first | base, manager="a"),
            lambda: store.apply(second | base, manager="b"),
            lambda: store.apply(first | base, manager="b", force=True),
            lambda: store.update(second | base, manager="c"),
            lambda: store.patch(key_of(base), second, manager="d"),
            lambda: store.create(base, manager="e"),  # where all before were refused
            lambda: store.patch_status(key_of(base), status, manager="f"),
        ):
            try:
                await step()
            except TidegateError:
                continue
        return await store.get(key_of(base))
    finally:
        await store.delete(key_of(base))
        store.close()


@pytest.mark.parametrize("resource", KNOWN, ids=lambda resource: resource.plural)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=BODY, second=BODY, status=BODY)
def test_any_shape_is_stored_merged_and_shown(resource, first, second, status, tmp_path):
    obj = asyncio.run(take_through(resource, first, second, status, tmp_path / "store.db"))
    columns = columns_for(resource, resource.versions[0], [])
    json.dumps(row(obj, columns, NOW, "Object"))
    if resource.has_scale:
        json.dumps(scale_of(obj))


def nested(depth, inner="1"):
    return '{"a":' * depth + inner + "}" * depth


@pytest.mark.parametrize("depth", [150, 600, 5000, 100_000])
async def test_deep_objects_are_refused(http, depth):
    maps = "/api/v1/namespaces/web/configmaps"
    body = f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"deep"}},"data":{nested(depth)}}}'
    headers = {"Content-Type": "application/json"}
    assert (await http.post(maps, content=body, headers=headers)).status_code in (400, 413)
    await http.post(maps, json={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deep"}})
    for form in ("merge-patch+json", "strategic-merge-patch+json"):
        answer = await http.patch(
            f"{maps}/deep", content=nested(depth), headers={"Content-Type": f"application/{form}"}
        )
        assert answer.status_code in (400, 413), form
    apply = {"Content-Type": "application/apply-patch+yaml"}
    answer = await http.patch(f"{maps}/deep?fieldManager=x", content=body, headers=apply)
    assert answer.status_code in (400, 413, 422)


async def test_warnings_can_t_break_the_headers(http):
    from tests.contracts.store import policy

    obj = policy()
    obj["spec"] |= {f'odd\r\nX-Evil: {n}é"\\': 1 for n in range(100)}
    answer = await http.post("/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system/imagepolicies", json=obj)
    assert answer.status_code == 201
    assert "x-evil" not in answer.headers
    assert len(answer.headers.get_list("warning")) == 32
