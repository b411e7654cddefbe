"""Substitution against what Flux's own package answers, where errors point, and its limits.

go_answers.jsonl holds the answers of github.com/fluxcd/pkg/envsubst v1.7.0 to made-up texts.
"""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.deploy.envsubst.substitute import substitute

ROWS = [json.loads(line) for line in Path(__file__).with_name("go_answers.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[str(number) for number in range(len(ROWS))])
def test_the_answer_is_go_s(row):
    if "out" in row:
        assert substitute(row["text"], row["vars"], strict=row["strict"]) == row["out"]
    else:
        with pytest.raises(InvalidInput):
            substitute(row["text"], row["vars"], strict=row["strict"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: x${}\n", "2:5: '${}' is no substitution: it does not start with a variable's name"),
        ("${name-x}", "1:1: '${name-' is no substitution: a '}' is missing here"),
        ("é ${name:}", "1:3: '${name:}' is no substitution: a word is missing here"),
        ("${name:é}", "1:1: '${name:' is no substitution: an offset must be a number"),
        ("${name/x}", "1:1: '${name/x}' is no substitution: a '/' is missing after what is replaced"),
        ("${#}", "1:1: '${#}' is no substitution: a variable's name is missing after the '#'"),
        ("${name:0:-1}", "1:1: a substring's length can't be -1"),
        ("\n  ${name:-${gone}}", "2:11: the variable 'gone' is not set"),
    ],
)
def test_an_error_says_where_and_why(text, told):
    with pytest.raises(InvalidInput) as caught:
        substitute(text, {"name": "World"}, strict=True)
    assert str(caught.value) == told
    assert caught.value.remedy


def test_a_variable_is_missing_only_in_strict_mode():
    assert substitute("[${gone}]", {}) == "[]"
    assert substitute("[${gone:=x}]", {}, strict=True) == "[x]"
    assert substitute("[${empty}]", {"empty": ""}, strict=True) == "[]"


def test_a_value_is_not_looked_at_again():
    assert substitute("${a}", {"a": "${b}", "b": "x"}) == "${b}"


def test_an_offset_that_cuts_a_character_leaves_one_mark_for_each_byte():
    assert substitute("${a:0:2}|${a:0:1}${a:1:2}", {"a": "日"}) == "\ufffd\ufffd|日"


def test_a_nul_ends_the_text():
    assert substitute("a${b}\0${", {"b": "x"}) == "ax"


@pytest.mark.parametrize(
    "text",
    [
        "${a:-" * 200 + "}" * 200,
        "${a}" * 20,
        "${a//x/xx}" * 20,
        "${a//x/${a}}",
        "${a##*xx*[y]}",
        "${a%%]y[*xx*}",
        "${a#?*[y]}",
    ],
)
def test_what_would_grow_without_bound_is_refused(text):
    with pytest.raises(LimitExceeded):
        substitute(text, {"a": "x" * 1_000_000})


def test_a_large_text_is_substituted():
    line = "image: ghcr.io/acme/web:${tag} # $${kept} $name\n"
    made = substitute(line * 20_000, {"tag": "1.2.3"})
    assert made == "image: ghcr.io/acme/web:1.2.3 # ${kept} $name\n" * 20_000
