"""Strategic merge patches as kubectl sends them; the results are those of Kubernetes' own strategicpatch."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.engine.merge_schema import merge_schema
from tidegate.engine.merge_strategic import strategic_merge_patch

DEPLOYMENT = merge_schema("apps", "Deployment")
SERVICE = merge_schema("", "Service")
POD = merge_schema("", "Pod")


def pod(containers=None, **spec):
    return {"metadata": {"name": "x"}, "spec": ({"containers": containers} if containers is not None else {}) | spec}


def test_containers_merge_by_name():
    live = pod([{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}])
    patch = pod([{"name": "a", "image": "a:2"}, {"name": "c", "image": "c:1"}])
    assert strategic_merge_patch(live, patch, POD)["spec"]["containers"] == [
        {"name": "a", "image": "a:2", "env": [{"name": "X", "value": "1"}]},
        {"name": "c", "image": "c:1"},
        {"name": "b", "image": "b:1"},
    ]


def test_an_item_is_deleted_by_directive():
    live = pod([{"name": "a"}, {"name": "b"}])
    assert strategic_merge_patch(live, pod([{"name": "a", "$patch": "delete"}]), POD) == pod([{"name": "b"}])


def test_a_list_is_replaced_by_directive():
    live = pod([{"name": "a"}, {"name": "b"}])
    assert strategic_merge_patch(live, pod([{"name": "z"}, {"$patch": "replace"}]), POD) == pod([{"name": "z"}])


def test_a_map_is_replaced_or_emptied_by_directive():
    live = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    replaced = strategic_merge_patch(live, {"metadata": {"labels": {"$patch": "replace", "c": "3"}}}, POD)
    assert replaced == {"metadata": {"labels": {"c": "3"}}}
    assert strategic_merge_patch(live, {"metadata": {"labels": {"$patch": "delete"}}}, POD) == {
        "metadata": {"labels": {}}
    }


def test_null_removes_a_field():
    assert strategic_merge_patch({"spec": {"a": 1, "b": 2}}, {"spec": {"a": None}}, POD) == {"spec": {"b": 2}}


def test_order_follows_set_element_order():
    live = pod([{"name": "a"}, {"name": "b"}, {"name": "c"}])
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "c", "image": "x"}],
        }
    }
    names = [item["name"] for item in strategic_merge_patch(live, patch, POD)["spec"]["containers"]]
    assert names == ["b", "c", "a"]


def test_set_element_order_alone_orders_too():
    live = pod([{"name": "a"}, {"name": "b"}])
    patch = {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}
    names = [item["name"] for item in strategic_merge_patch(live, patch, POD)["spec"]["containers"]]
    assert names == ["b", "a"]


def test_primitive_lists_grow_and_shrink():
    live = {"metadata": {"finalizers": ["a", "b"]}}
    assert strategic_merge_patch(live, {"metadata": {"finalizers": ["b", "c"]}}, POD) == {
        "metadata": {"finalizers": ["a", "b", "c"]}
    }
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge_patch(live, patch, POD) == {"metadata": {"finalizers": ["b"]}}


def test_retain_keys_clears_the_rest():
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge_patch(live, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}
    with pytest.raises(InvalidInput):
        strategic_merge_patch(live, {"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}}, DEPLOYMENT)


def test_ports_of_a_service_merge_by_port():
    live = {"spec": {"ports": [{"port": 80, "targetPort": 1}, {"port": 443}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}
    assert strategic_merge_patch(live, patch, SERVICE)["spec"]["ports"] == [
        {"port": 80, "targetPort": 2},
        {"port": 443},
    ]


def test_lists_without_a_key_are_replaced():
    live = pod(tolerations=[{"key": "a"}], containers=[{"name": "a", "args": ["1", "2"]}])
    patch = pod(tolerations=[{"key": "b"}], containers=[{"name": "a", "args": ["3"]}])
    assert strategic_merge_patch(live, patch, POD) == patch


@pytest.mark.parametrize(
    "patch",
    [
        pod([{"image": "no name"}]),
        {"spec": {"$patch": "explode"}},
        {"spec": {"$unknown": 1}},
        {"spec": {"$retainKeys": "type"}},
        ["no map"],
    ],
)
def test_wrong_patches_are_refused(patch):
    with pytest.raises(InvalidInput):
        strategic_merge_patch(pod([{"name": "a"}]), patch, POD)
