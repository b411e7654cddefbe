"""RFC 7396 and RFC 6902, by the examples of their appendices and by what hostile patches try."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.engine.merge_patch import json_patch, merge_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_rfc_7396_appendix_a(target, patch, result):
    assert merge_patch(target, patch) == result


@given(JSON, JSON)
def test_a_merge_patch_changes_neither_of_its_arguments(target, patch):
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"g": {}}}], {"foo": "bar", "child": {"g": {}}}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["a", "d"]}], {"foo": ["bar", ["a", "d"]]}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": [2]}], [2]),
    ],
)
def test_rfc_6902_appendix_a(target, operations, result):
    assert json_patch(target, operations) == result


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "add", "path": "/a/b/c", "value": 1}],
        [{"op": "remove", "path": "/none"}],
        [{"op": "replace", "path": "/none", "value": 1}],
        [{"op": "test", "path": "/foo", "value": "other"}],
        [{"op": "test", "path": "/one", "value": True}],
        [{"op": "add", "path": "/list/4", "value": 1}],
        [{"op": "add", "path": "/list/01", "value": 1}],
        [{"op": "remove", "path": "/list/-"}],
        [{"op": "add", "path": "/foo"}],
        [{"op": "jump", "path": "/foo"}],
        [{"op": "move", "from": "/map", "path": "/map/deeper"}],
        [{"op": "add", "path": "foo", "value": 1}],
        ["add"],
        {"op": "add"},
        "add",
    ],
)
def test_what_can_t_be_done_is_refused_whole(operations):
    target = {"foo": "bar", "one": 1, "list": [1, 2, 3], "map": {"x": 1}}
    before = copy.deepcopy(target)
    with pytest.raises(InvalidInput):
        json_patch(target, operations)
    assert target == before


def test_testing_for_null_finds_what_is_absent():
    assert json_patch({"a": 1}, [{"op": "test", "path": "/b", "value": None}]) == {"a": 1}


def test_a_patch_has_a_largest_number_of_operations():
    with pytest.raises(LimitExceeded):
        json_patch({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)


def test_copies_of_copies_are_bounded():
    doubling = [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(64)]
    with pytest.raises(LimitExceeded, match="copy"):
        json_patch({"a": 1}, doubling)
