"""How large a document is told before and after it is read."""

import json
import tracemalloc

import pytest

from tidegate.base.errors import LimitExceeded
from tidegate.base.json_size import COPIED_LIMIT, Copier, check_json, count_values


def test_every_map_list_and_scalar_counts() -> None:
    assert count_values({"a": [1, 2], "b": {"c": None}}, 10) == 6
    with pytest.raises(LimitExceeded):
        count_values({"a": [1, 2], "b": {"c": None}}, 5)


def test_marks_inside_of_strings_are_no_values() -> None:
    text = json.dumps({"csv": "a,b," * 1000, "quoted": 'x"[{,' * 1000}).encode()
    check_json(text, 10)
    with pytest.raises(LimitExceeded):
        check_json(json.dumps([[]] * 1000).encode(), 1000)


def test_copies_are_counted_in_all_and_share_nothing() -> None:
    copier, value = Copier(), {"a": list(range(1000))}
    copied = copier.copy(value)
    copied["a"].clear()
    assert len(value["a"]) == 1000
    for _ in range(COPIED_LIMIT // 1002 - 1):
        copier.copy(value)
    with pytest.raises(LimitExceeded, match="copy"):
        copier.copy(value)


def test_json_text_of_many_strings_is_measured_in_little_memory() -> None:
    data = b"[" + b'",",' * 200_000 + b'""]'
    tracemalloc.start()
    try:
        check_json(data, 250_000)
        with pytest.raises(LimitExceeded):
            check_json(data, 199_999)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(data)


def test_json_text_that_breaks_off_in_a_string_is_measured_as_well() -> None:
    check_json(b'["a,b", "c,d', 4)
    with pytest.raises(LimitExceeded):
        check_json(b'["a,b",,,, "c,d', 4)
