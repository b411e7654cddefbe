from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.workflow.command_files import check_summary, parse_environment, parse_paths, parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a=b\n", {"a": "b"}),
        ("a=b", {"a": "b"}),
        ("a=\n", {"a": ""}),
        ("a=b=c<<d\n", {"a": "b=c<<d"}),
        ("a=b\r\n\r\nc=d\r\n", {"a": "b", "c": "d"}),
        ("a=1\na=2\n", {"a": "2"}),
        (" a = b \n", {" a ": " b "}),
        ("a<<EOF\none\ntwo\nEOF\n", {"a": "one\ntwo"}),
        ("a<<EOF\none\r\ntwo\r\nEOF\r\nb=1", {"a": "one\r\ntwo", "b": "1"}),
        ("a<<EOF\nEOF\n", {"a": ""}),
        ("a<<EOF\n\nEOF\n", {"a": ""}),
        ("a<<EOF\n\n\nEOF\n", {"a": "\n"}),
        ("a<<EOF\nx=y\n EOF\nEOF", {"a": "x=y\n EOF"}),
        ("a<<x=y\nv\nx=y\n", {"a": "v"}),
        ("\ufeffa=b\n", {"a": "b"}),
        ("ü=ö\n", {"ü": "ö"}),
    ],
)
def test_values_are_read_as_the_runner_reads_them(text: str, values: dict[str, str]) -> None:
    assert parse_values(text, "GITHUB_OUTPUT") == values


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing\n", "there is neither = nor <<"),
        ("=b\n", "the name is empty"),
        ("<<EOF\nx\nEOF\n", "the name is empty"),
        ("a<<\nx\n", "the delimiter is empty"),
        ("a<<EOF\nx\n", "the delimiter 'EOF' is not found"),
        ("a<<EOF\nx\nEOF \n", "the delimiter 'EOF' is not found"),
        ("a<<EOF", "the delimiter 'EOF' is not found"),
        ("a=b\n \n", "there is neither = nor <<"),
    ],
)
def test_what_the_runner_refuses_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=r"^\$GITHUB_OUTPUT: " + problem):
        parse_values(text, "GITHUB_OUTPUT")


@given(st.text(st.characters(exclude_characters="\r", codec="utf-8"), max_size=60))
def test_any_value_survives_a_delimiter_that_it_does_not_hold(value: str) -> None:
    assert parse_values(f"x<<ghadelimiter_1\n{value}\nghadelimiter_1\n", "GITHUB_ENV") == {"x": value}


def test_node_options_cannot_be_set() -> None:
    with pytest.raises(InvalidInput):
        parse_environment("node_options=--require /x\n")
    assert parse_environment("PATH_X=1\n") == {"PATH_X": "1"}


def test_the_folder_added_last_comes_first() -> None:
    assert parse_paths("/a\n\n/b\r\n/a\n") == ["/a", "/b"]


def test_more_than_a_megabyte_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        parse_values("a=" + "x" * 2_000_000, "GITHUB_OUTPUT")
    check_summary(1024 * 1024)
    with pytest.raises(LimitExceeded):
        check_summary(1024 * 1024 + 1)
