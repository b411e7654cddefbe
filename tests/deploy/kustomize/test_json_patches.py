"""JSON patches, RFC 6902 and what kustomize's library allows beyond it; and which objects a target means."""

import json

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.deploy.kustomize.jsonpatch import apply_patch
from tidegate.deploy.kustomize.selectors import matches_labels


def patch(target, *operations):
    return apply_patch(target, operations)


# the examples of RFC 6902, appendix A, by their section
RFC = [
    ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"baz": "qux", "foo": "bar"}),  # A.1
    ({"foo": ["bar", "baz"]}, {"op": "add", "path": "/foo/1", "value": "qux"}, {"foo": ["bar", "qux", "baz"]}),  # A.2
    ({"baz": "qux", "foo": "bar"}, {"op": "remove", "path": "/baz"}, {"foo": "bar"}),  # A.3
    ({"foo": ["bar", "qux", "baz"]}, {"op": "remove", "path": "/foo/1"}, {"foo": ["bar", "baz"]}),  # A.4
    ({"baz": "qux"}, {"op": "replace", "path": "/baz", "value": "boo"}, {"baz": "boo"}),  # A.5
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        {"op": "move", "from": "/foo/waldo", "path": "/qux/thud"},
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),  # A.6
    ({"foo": ["all", "grass", "cows", "eat"]}, {"op": "move", "from": "/foo/1", "path": "/foo/3"},
     {"foo": ["all", "cows", "eat", "grass"]}),  # A.7
    ({"foo": 1}, {"op": "add", "path": "/child", "value": {"x": {}}}, {"foo": 1, "child": {"x": {}}}),  # A.10
    ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": 10}, {"/": 9, "~1": 10}),  # A.14
    ({"foo": ["bar"]}, {"op": "add", "path": "/foo/-", "value": ["a", "b"]}, {"foo": ["bar", ["a", "b"]]}),  # A.16
]  # fmt: skip


@pytest.mark.parametrize(("target", "operation", "wanted"), RFC)
def test_the_examples_of_the_rfc(target, operation, wanted):
    assert patch(target, operation) == wanted


def test_more_is_allowed_than_the_rfc_does():
    assert patch({}, {"op": "replace", "path": "/new", "value": 1}) == {"new": 1}
    assert patch({"l": [1, 2]}, {"op": "replace", "path": "/l/-1", "value": 9}) == {"l": [1, 9]}
    assert patch({"a": 1}, {"op": "copy", "from": "/none", "path": "/b"}) == {"a": 1, "b": None}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/baz/bat", "value": "qux"},
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "remove", "path": "/nothing"},
        {"op": "remove", "path": "/l/x"},
        {"op": "remove", "path": "/l/1_0"},
        {"op": "test", "path": "/foo", "value": "other"},
        {"op": "test", "path": "/one", "value": True},
        {"op": "move", "path": "/x"},
        {"op": "move", "from": "/nothing", "path": "/x"},
        {"op": "replace", "path": "", "value": 5},
        {"op": "jump", "path": "/foo"},
        {"op": "add"},
    ],
)
def test_what_does_not_fit_is_refused(operation):
    with pytest.raises(InvalidInput):
        patch({"foo": "bar", "l": [], "one": 1}, operation)


def test_the_target_is_not_changed():
    target = {"l": [1]}
    patch(target, {"op": "add", "path": "/l/-", "value": 2})
    assert target == {"l": [1]}


def test_a_json_patch_needs_a_target(refusal):
    text = 'resources: [dep.yaml]\npatches: [{patch: \'[{"op": "remove", "path": "/spec"}]\'}]'
    assert "a JSON patch needs a target" in refusal(text)


def replicas(build, target, text="resources: [dep.yaml, cm.yaml]"):
    operations = json.dumps([{"op": "add", "path": "/spec", "value": {"replicas": 7}}])
    objects = build(f"{text}\npatches:\n- target: {target}\n  patch: '{operations}'\n")
    return [one["kind"] for one in objects if (one.get("spec") or {}).get("replicas") == 7]


@pytest.mark.parametrize(
    "target",
    ["{kind: Deployment}", "{kind: Deploy.*}", "{name: we., kind: Deployment}", "{group: apps}", "{name: web}",
     "{namespace: default, kind: Deployment}", "{version: v1, kind: 'Foo|Deployment'}",
     "{kind: '(Stateful|Deploy).*'}"],
)  # fmt: skip
def test_a_target_is_a_regular_expression_for_each_part(build, target):
    assert replicas(build, target) == ["Deployment"]


@pytest.mark.parametrize("target", ["{kind: Deploy}", "{name: eb}", "{group: app}", "{namespace: other}"])
def test_a_target_must_match_as_a_whole(build, target):
    assert replicas(build, target) == []


def test_a_target_by_labels(build):
    text = "resources: [dep.yaml, cm.yaml]\n"
    base = {
        "base/kustomization.yaml": "resources: [cm.yaml]\ncommonLabels: {app: web}",
        "base/cm.yaml": "kind: A\nmetadata: {name: a}\n",
    }
    operations = json.dumps([{"op": "add", "path": "/new", "value": 1}])
    objects = build(
        f"{text}patches: [{{target: {{labelSelector: app=web}}, patch: '{operations}'}}]".replace(
            "resources: [", "resources: [../base, "
        ),
        base,
    )
    assert [one["kind"] for one in objects if one.get("new") == 1] == ["A"]


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", True), ("app=web", True), ("app==web", True), ("app!=web", False), ("app", True), ("!app", False),
        ("!old", True), ("old!=x", True), ("app in (web, api)", True), ("app notin (web)", False),
        ("app=web,tier=a", True), (" app = web , !old ", True), ("n>4", True), ("n<4", False), ("old=x", False),
    ],
)  # fmt: skip
def test_label_selectors(selector, wanted):
    assert matches_labels(selector, {"app": "web", "tier": "a", "n": "5"}) is wanted


@pytest.mark.parametrize("selector", ["=", "a=b=c", "app in web", "app in", "a b", "(a)", "!a=b"])
def test_what_is_no_label_selector_is_refused(selector):
    with pytest.raises(InvalidInput):
        matches_labels(selector, {})


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|b)*c", "(?=a)", "a*b*c*d*", "(a)\\1", "["])
def test_an_expression_that_could_hang_is_refused(refusal, expression):
    text = f"resources: [dep.yaml]\npatches: [{{target: {{name: '{expression}'}}, patch: '[]'}}]"
    assert refusal(text.replace("'[]'", '\'[{"op": "remove", "path": "/spec"}]\''))


def test_copies_of_copies_are_bounded():
    doubling = [{"op": "copy", "from": "/data", "path": f"/data/{number}"} for number in range(64)]
    with pytest.raises(LimitExceeded, match="copy"):
        apply_patch({"data": {"a": 1}}, doubling)
