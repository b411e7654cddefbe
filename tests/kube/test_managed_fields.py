"""What managedFields say: what stands, what a manager applied, who writes a status."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.engine import merge_apply
from tidegate.kube.managed import applied_line, extracted, set_of, stands, taken_over, writers_of_status, written_at

NOW = "2026-01-15T12:00:00Z"
MANAGER = "kustomize-controller"


def config(**spec):
    container = {
        "name": "web",
        "image": "web:1",
        "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
        "env": [{"name": "A", "value": "1"}],
        "args": ["--one", "--two"],
        "resources": {},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "web", "labels": {"a": "b"}, "finalizers": ["x.io/y"]},
        "spec": {"template": {"spec": {"containers": [container], "volumes": []}}, **spec},
    }


def applied(wanted, live=None, manager=MANAGER):
    """The object as the API leaves it after an apply."""
    live = live or {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "web"}}
    return merge_apply.apply(live, copy.deepcopy(wanted), manager=manager, force=True, now=NOW)


def standing(wanted, live):
    return stands(wanted, live, applied_line(live, MANAGER))


def test_what_was_applied_stands():
    assert standing(config(), applied(config()))


def test_the_order_in_which_things_are_written_does_not_matter():
    wanted = config()
    wanted["spec"]["template"]["spec"]["containers"][0]["ports"].reverse()
    wanted["metadata"] = dict(reversed(wanted["metadata"].items()))
    assert standing(wanted, applied(config()))


def test_what_others_added_does_not_matter():
    others = {"metadata": {"labels": {"c": "d"}, "name": "web", "namespace": "web"}, "spec": {"replicas": 3}}
    live = applied(config() | others, applied(config()), manager="somebody")
    assert standing(config(), live)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["metadata"]["labels"].update(a="c"),
        lambda c: c["metadata"]["labels"].update(z="1"),
        lambda c: c["metadata"].pop("labels"),
        lambda c: c["metadata"]["finalizers"].append("x.io/z"),
        lambda c: c["spec"].update(replicas=0),
        lambda c: c["spec"]["template"]["spec"]["containers"][0].update(image="web:2"),
        lambda c: c["spec"]["template"]["spec"]["containers"][0]["args"].reverse(),
        lambda c: c["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "B", "value": "2"}),
        lambda c: c["spec"]["template"]["spec"]["containers"][0]["env"].clear(),
        lambda c: c["spec"]["template"]["spec"]["containers"][0]["ports"][1].pop("protocol"),
        lambda c: c["spec"]["template"]["spec"]["containers"][0]["ports"].pop(),
        lambda c: c["spec"]["template"]["spec"]["containers"].append({"name": "log", "image": "log:1"}),
        lambda c: c["spec"]["template"]["spec"]["containers"][0].update(resources={"limits": {"cpu": "1"}}),
        lambda c: c["spec"]["template"]["spec"]["volumes"].append({"name": "v"}),
        lambda c: c.update(apiVersion="apps/v1beta1"),
    ],
)
def test_any_other_wish_does_not_stand(change):
    wanted = config()
    change(wanted)
    assert not standing(wanted, applied(config()))


def test_a_value_that_somebody_else_took_does_not_stand():
    live = applied(config())
    after = copy.deepcopy(live)
    after["metadata"]["labels"]["a"] = "c"
    assert not standing(config(), merge_apply.note_update(live, after, manager="somebody", now=NOW))


def test_true_and_one_are_two_things():
    assert not standing(config(paused=True), applied(config(paused=1)))


def test_nulls_say_nothing():
    assert standing(config(replicas=None), applied(config()))


def test_nobodys_line_stands_for_nothing():
    assert not stands(config(), applied(config(), manager="somebody"), None)


values = st.recursive(
    st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    max_leaves=8,
)
configs = st.dictionaries(st.sampled_from(["a", "b", "name"]), values, max_size=3)


@settings(max_examples=300, deadline=None)
@given(configs, configs)
def test_standing_means_that_an_apply_changes_nothing(first, second):
    def obj(data):
        return {"apiVersion": "example.com/v1", "kind": "Any", "metadata": {"name": "x"}, "spec": data}

    live = applied(obj(first), {"apiVersion": "example.com/v1", "kind": "Any", "metadata": {"name": "x"}})
    after = merge_apply.apply(live, obj(second), manager=MANAGER, force=True, now=NOW)
    if standing(obj(second), live):
        assert after == live
    if first == second and repr(first) == repr(second):
        assert standing(obj(second), live)


def test_what_a_manager_applied_is_cut_out_of_the_whole():
    live = applied(config(), applied(config(replicas=3), manager="somebody"))
    cut = extracted(live, set_of(applied_line(live, MANAGER)))
    assert "replicas" not in cut["spec"]
    assert cut["spec"]["template"]["spec"]["containers"] == config()["spec"]["template"]["spec"]["containers"]
    assert cut["metadata"] == {"labels": {"a": "b"}, "finalizers": ["x.io/y"]}


def line(manager, fields, subresource="status", operation="Update", time=NOW):
    found = {"manager": manager, "operation": operation, "apiVersion": "v1", "time": time, "fieldsV1": fields}
    return found | ({"subresource": subresource} if subresource else {})


def test_who_writes_a_status_is_told_by_its_lines():
    lines = [
        line("kubectl", {"f:spec": {}}, subresource=""),
        line("scaler", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        line("source-controller", {"f:status": {"f:conditions": {}}}),
        line("nobody", {}),
    ]
    found = writers_of_status({"metadata": {"managedFields": lines}})
    assert [one["manager"] for one in found] == ["source-controller"]


def test_taking_over_joins_the_fields_and_drops_the_lines():
    theirs = line("flux", {"f:status": {"f:conditions": {}, "f:artifact": {"f:url": {}}}})
    ours = line("tidegate", {"f:status": {"f:observedGeneration": {}}}, operation="Apply")
    other = line("kubectl", {"f:spec": {"f:suspend": {}}}, subresource="")
    obj = {"metadata": {"managedFields": [theirs, ours, other]}}
    after = taken_over(obj, [theirs], "tidegate", "status", "x/v1")
    assert after[0] is other
    assert (after[1]["manager"], after[1]["operation"], after[1]["subresource"]) == ("tidegate", "Apply", "status")
    assert after[1]["fieldsV1"] == {
        "f:status": {"f:artifact": {"f:url": {}}, "f:conditions": {}, "f:observedGeneration": {}}
    }
    assert len(after) == 2


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_a_line_without_a_time_is_as_old_as_can_be(text):
    assert written_at({"time": text}).year == 1
