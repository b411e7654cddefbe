"""Who owns which field: FieldsV1, conflicts, taking over, and what is removed with its owner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.store import config_map, deployment

from tidegate.engine import merge_apply
from tidegate.engine.merge_apply import ApplyConflict, note_update
from tidegate.engine.merge_fields import Fields, compare, fields_of
from tidegate.engine.merge_schema import merge_schema

NOW, LATER = "2026-01-15T12:00:00Z", "2026-01-15T12:05:00Z"
DEPLOYMENT = merge_schema("apps", "Deployment")


def apply(live, config, manager="one", *, force=False, now=NOW):
    return merge_apply.apply(live, config, manager=manager, force=force, now=now)


def owned_by(obj, manager, operation="Apply"):
    for line in obj["metadata"].get("managedFields", []):
        if (line["manager"], line["operation"]) == (manager, operation):
            return line["fieldsV1"]
    return None


def containers(obj):
    return obj["spec"]["template"]["spec"]["containers"]


def test_fields_are_written_as_the_api_writes_them():
    config = deployment([{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}], "args": ["a"]}])
    assert owned_by(apply(None, config), "one") == {
        "f:spec": {
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {
                            ".": {},
                            "f:args": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        }
                    }
                },
            },
        }
    }


def test_finalizers_are_a_set():
    config = config_map({}, finalizers=["b", "a"])
    assert owned_by(apply(None, config), "one")["f:metadata"] == {"f:finalizers": {'v:"a"': {}, 'v:"b"': {}}}
    both = apply(apply(None, config), config_map({}, finalizers=["c"]), "two")
    assert sorted(both["metadata"]["finalizers"]) == ["a", "b", "c"]
    less = apply(both, config_map({}, finalizers=["a"]))
    assert sorted(less["metadata"]["finalizers"]) == ["a", "c"]


def test_an_item_goes_with_its_only_owner():
    first = apply(None, deployment([{"name": "web"}, {"name": "log", "image": "x"}]))
    assert [item["name"] for item in containers(apply(first, deployment([{"name": "web"}])))] == ["web"]


def test_an_item_in_which_another_owns_a_field_stays_with_its_key():
    first = apply(None, deployment([{"name": "web", "image": "web:1", "command": ["x"]}]))
    both = apply(first, deployment([{"name": "web", "imagePullPolicy": "Always"}]), "two")
    left = apply(both, deployment([]))
    assert containers(left) == [{"name": "web", "imagePullPolicy": "Always"}]


def test_the_order_is_the_appliers_and_items_of_others_stay_where_they_were():
    first = apply(None, deployment([{"name": "b"}, {"name": "a"}]))
    both = apply(first, deployment([{"name": "x"}]), "two")
    again = apply(both, deployment([{"name": "a"}, {"name": "b"}, {"name": "c"}]))
    assert [item["name"] for item in containers(again)] == ["a", "x", "b", "c"]


def test_an_atomic_list_belongs_to_one():
    def args(*values):
        return deployment([{"name": "web", "args": list(values)}])

    live = apply(None, args("a"))
    with pytest.raises(ApplyConflict) as error:
        apply(live, args("a", "b"), "two")
    (conflict,) = error.value.conflicts
    assert conflict.field == '.spec.template.spec.containers[name="web"].args'
    assert conflict.manager == '"one"'
    forced = apply(live, args("a", "b"), "two", force=True)
    assert containers(forced)[0]["args"] == ["a", "b"]
    assert "f:args" not in str(owned_by(forced, "one"))


def test_a_conflict_with_an_updater_says_since_when():
    live = note_update({}, config_map({"a": "1"}), manager="kubectl-edit", now=NOW)
    with pytest.raises(
        ApplyConflict, match=r'conflict with "kubectl-edit" using v1 at 2026-01-15T12:00:00Z: \.data\.a'
    ):
        apply(live, config_map({"a": "2"}), "two")


def test_several_conflicts_are_all_told():
    live = apply(None, config_map({"a": "1", "b": "1"}))
    with pytest.raises(ApplyConflict, match="2 conflicts") as error:
        apply(live, config_map({"a": "2", "b": "2"}), "two")
    assert [conflict.field for conflict in error.value.conflicts] == [".data.a", ".data.b"]


def test_server_side_kubectl_takes_over_from_client_side_kubectl():
    live = note_update({}, config_map({"a": "1"}), manager="kubectl-client-side-apply", now=NOW)
    assert apply(live, config_map({"a": "2"}), "kubectl")["data"] == {"a": "2"}
    with pytest.raises(ApplyConflict):
        apply(live, config_map({"a": "2"}), "somebody")


def test_an_updater_owns_what_it_changed_and_no_more():
    live = apply(None, config_map({"a": "1", "b": "1"}))
    after = live | {"data": {"a": "2", "b": "1"}}
    noted = note_update(live, after, manager="editor", now=LATER)
    assert owned_by(noted, "editor", "Update") == {"f:data": {"f:a": {}}}
    assert owned_by(noted, "one") == {"f:data": {"f:b": {}}}


def test_what_an_updater_removes_nobody_owns():
    live = apply(None, config_map({"a": "1", "b": "1"}))
    noted = note_update(live, live | {"data": {"b": "1"}}, manager="editor", now=LATER)
    assert owned_by(noted, "one") == {"f:data": {"f:b": {}}}
    assert owned_by(noted, "editor", "Update") is None


def scanned(live, time, revision="7"):
    return live | {"status": {"lastScanResult": {"scanTime": time, "revision": revision}, "suspended": "False"}}


@pytest.mark.parametrize("others", [[], ["somebody"], ["somebody", "nobody"]])
@pytest.mark.parametrize("fields", [{"f:lastScanResult": {"f:scanTime": {}}}, {"f:suspended": {}}, {"f:own": {}}])
@pytest.mark.parametrize("revision", ["7", "8"])
def test_writing_again_notes_what_the_long_way_notes(monkeypatch, others, fields, revision):
    def note(before, after, now):
        return note_update(before, after, manager="scanner", now=now, subresource="status")

    live = note_update({}, config_map({"a": "1"}), manager="editor", now=NOW)
    live = note(live, scanned(live, "1"), NOW)
    for number, other in enumerate(others):
        line = {"manager": other, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
        line |= {"time": f"2026-01-15T12:0{number}:00Z", "fieldsV1": {"f:status": fields}, "subresource": "status"}
        live["metadata"]["managedFields"].insert(0, line)
    short = note(live, scanned(live, "2", revision), LATER)
    monkeypatch.setattr(merge_apply, "_written_again", lambda *_: None)
    assert short == note(live, scanned(live, "2", revision), LATER)


def test_lines_that_are_none_are_left_out_by_a_write():
    live = note_update({}, config_map({"a": "1"}), manager="editor", now=NOW)
    live["metadata"]["managedFields"] += [{}, {"manager": "x", "operation": "Update", "fieldsV1": "f:data"}]
    noted = note_update(live, live | {"data": {"a": "1", "b": "1"}}, manager="somebody", now=LATER)
    assert [line["manager"] for line in noted["metadata"]["managedFields"]] == ["editor", "somebody"]
    again = note_update(noted, noted | {"data": {"a": "1", "b": "2"}}, manager="somebody", now=LATER)
    assert owned_by(again, "somebody", "Update") == {"f:data": {"f:b": {}}}


def test_null_in_a_configuration_is_nothing():
    config = config_map({"a": "1"})
    config["metadata"]["creationTimestamp"] = None
    config["data"]["b"] = None
    assert apply(None, config)["data"] == {"a": "1"}


def test_applying_the_same_again_keeps_the_time():
    live = apply(None, config_map({"a": "1"}))
    assert apply(live, config_map({"a": "1"}), now=LATER) == live


def test_the_oldest_updaters_become_one():
    live = config_map({})
    for number in range(14):
        after = live | {"data": live["data"] | {f"k{number}": "x"}}
        live = note_update(live, after, manager=f"m{number:02}", now=f"2026-01-15T12:{number:02}:00Z")
    managers = [line["manager"] for line in live["metadata"]["managedFields"]]
    assert len(managers) == 10
    assert managers[0] == "ancient-changes"
    assert set(owned_by(live, "ancient-changes", "Update")["f:data"]) == {f"f:k{n}" for n in range(5)}


def test_of_unknown_kinds_lists_are_atomic():
    schema = merge_schema("example.org", "Thing")
    assert fields_of({"spec": {"containers": [{"name": "a"}]}}, schema).as_json() == {"f:spec": {"f:containers": {}}}


def test_items_without_their_key_or_twice_make_a_list_atomic():
    for items in ([{"image": "x"}], [{"name": "a"}, {"name": "a"}], ["a"]):
        found = fields_of({"spec": {"template": {"spec": {"containers": items}}}}, DEPLOYMENT).as_json()
        assert found == {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}


def test_one_and_true_differ():
    assert compare({"a": 1}, {"a": True}, DEPLOYMENT).modified.as_json() == {"f:a": {}}


NAMES = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}'])
FIELDS = st.recursive(
    st.just(Fields()),
    lambda inner: st.builds(
        lambda members, children: Fields(frozenset(members), {n: c for n, c in children.items() if c}),
        st.sets(NAMES),
        st.dictionaries(NAMES, inner),
    ),
    max_leaves=10,
)


@given(FIELDS)
def test_fields_survive_their_json_form(fields):
    assert Fields.from_json(fields.as_json()) == fields


@given(FIELDS, FIELDS)
def test_sets_of_fields_are_sets(one, two):
    def paths(fields):
        return set(fields.paths())

    assert paths(one | two) == paths(one) | paths(two)
    assert paths(one & two) == paths(one) & paths(two)
    assert paths(one - two) == paths(one) - paths(two)


OBJECTS = st.dictionaries(
    st.sampled_from("abc"), st.integers(0, 2) | st.dictionaries(st.sampled_from("xy"), st.integers(0, 2)), max_size=3
)


@given(OBJECTS, OBJECTS)
def test_applying_twice_is_applying_once(first, second):
    live = apply(None, config_map(first))
    merged = apply(live, config_map(second), "two", force=True)
    again = apply(merged, config_map(second), "two", force=True)
    assert again == merged
    for name, value in second.items():
        if not isinstance(value, dict):
            assert merged["data"][name] == value


@given(OBJECTS)
def test_whoever_applied_alone_and_applies_nothing_leaves_nothing(data):
    assert not apply(apply(None, config_map(data)), config_map({})).get("data")
