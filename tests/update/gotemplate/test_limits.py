"""A template cannot take more than its budget, and never breaks the engine."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.render import FUNCTIONS, render
from tidegate.update.gotemplate.simple import is_simple


@pytest.mark.parametrize(
    "template",
    [
        '{{repeat 999999999 "x"}}',
        "{{until 999999999}}",
        "{{seq 999999999}}",
        "{{untilStep 0 999999999 1}}",
        '{{indent 999999999 "x"}}',
        '{{$x := "ab"}}{{range until 60}}{{$x = printf "%s%s" $x $x}}{{end}}',
        '{{$x := "ab"}}{{range until 60}}{{$x = replace "a" (print $x $x) $x}}{{end}}',
        "{{$l := list 1}}{{range until 60}}{{$l = concat $l $l}}{{end}}",
        "{{$l := list 1}}{{range until 60}}{{$l = list $l $l}}{{end}}{{toJson $l}}",
        "{{range 999999999}}{{end}}",
        "{{range until 1000}}{{range until 1000}}{{end}}{{end}}",
        '{{range until 1000}}{{printf "%9999d" 1}}{{end}}',
    ],
)
def test_what_asks_for_too_much_is_refused(template: str) -> None:
    with pytest.raises((LimitExceeded, InvalidInput)):
        render(template, None)


def test_the_output_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        render("{{range until 100}}0123456789{{end}}", None, budget=Budget(output=500))


@pytest.mark.parametrize(
    "template", ["{{" + "(" * 5000, "{{if 1}}" * 5000, "{{print " + "(print " * 300 + ")" * 300 + "}}", "x" * 70_000]
)
def test_deep_and_long_templates_are_refused(template: str) -> None:
    with pytest.raises(InvalidInput):
        render(template, None)


def test_a_dictionary_that_holds_itself_is_refused() -> None:
    with pytest.raises((InvalidInput, LimitExceeded)):
        render('{{$d := dict}}{{$_ := set $d "d" $d}}{{toJson $d | len}}{{mustToJson $d}}', None)
    with pytest.raises((InvalidInput, LimitExceeded)):
        render('{{$d := dict}}{{$_ := set $d "d" $d}}{{$d}}', None)


signs = ["{{", "}}", "{{-", "-}}", "(", ")", "|", ".", ".A", "$x", ":=", "=", ",", " ", "\n"]
literals = ['"a"', "1", "-2", "1.5", "nil", "true", "'a'", "`r`", "list 1 2", "dict"]
keywords = ["if", "else", "end", "range", "with", "define", "template", "break"]
words = st.sampled_from([*sorted(FUNCTIONS), *signs, *literals, *keywords])


@settings(max_examples=500, deadline=None)
@given(st.lists(words, max_size=12))
def test_any_sequence_of_words_gives_text_or_a_clear_error(parts: list[str]) -> None:
    template = " ".join(parts)
    for text in (template, "{{" + template + "}}"):
        with contextlib.suppress(InvalidInput, LimitExceeded):
            render(text, None, budget=Budget(steps=2000, output=10_000, work=1_000_000))


@pytest.mark.parametrize(
    ("template", "simple"),
    [
        ("Update", True),
        ("Update to {{range .Changed.Changes}}{{.NewValue}}{{end}}", True),
        ("{{range .Updated.Images}}{{println .}}{{end}}", True),
        ("{{ .AutomationObject }} {{ $.Values.x }}", True),
        ("{{range .A}}{{range .B}}{{end}}{{end}}", False),
        ("{{range .A}}{{end}}{{range .B}}{{end}}", False),
        ("{{if .A}}x{{end}}", False),
        ('{{repeat 3 "x"}}', False),
        ("{{range .A | keys}}{{end}}", False),
        ('{{template "x"}}{{define "x"}}{{end}}', False),
        ("{{ bad", True),
    ],
)
def test_simple_templates_are_known(template: str, simple: bool) -> None:
    assert is_simple(template) is simple
