"""What holds for every expression and text; Python's `re` is the judge where both mean the same."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.base.regexp import automaton
from tidegate.base.regexp.expand import expander
from tidegate.base.regexp.expression import Regexp

TEXTS = st.text("ab1-\né", max_size=12)
ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "1", "-", "é", r"[0-9]", "ab"])


def _taking_something(inner):
    """Patterns that take at least one character, so that repeating them means the same everywhere."""
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda two: f"{two[0]}{two[1]}"),
        pairs.map(lambda two: f"(?:{two[0]}|{two[1]})"),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"(?:{one})+"),
        inner.map(lambda one: f"(?:{one})+?"),
        inner.map(lambda one: f"(?:{one}){{1,3}}"),
        pairs.map(lambda two: f"(?:{two[0]})*{two[1]}"),
        pairs.map(lambda two: f"(?:{two[0]})??{two[1]}"),
    )


PATTERNS = st.recursive(ATOMS, _taking_something, max_leaves=8)


@given(PATTERNS, TEXTS)
def test_groups_are_those_of_a_backtracking_matcher(pattern, text):
    found, wanted = Regexp(pattern).find(text), re.search(pattern, text)
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        spans = [wanted.span(group) for group in range(wanted.re.groups + 1)]
        assert list(found) == [position for span in spans for position in span]


@given(PATTERNS, st.lists(TEXTS, max_size=8))
def test_what_was_learned_of_other_texts_changes_no_answer(pattern, texts):
    taught = Regexp(pattern)
    assert [taught.find(text) for text in texts * 2] == [Regexp(pattern).find(text) for text in texts * 2]
    assert [taught.matches(text) for text in texts] == [Regexp(pattern).matches(text) for text in texts]


@given(PATTERNS, TEXTS)
def test_forgetting_changes_no_answer(pattern, text):
    wanted = Regexp(pattern).find(text)
    kept, automaton.MOST_CELLS = automaton.MOST_CELLS, 0
    try:
        assert Regexp(pattern).find(text) == wanted
    finally:
        automaton.MOST_CELLS = kept


@given(st.text(max_size=20), st.text(max_size=10))
def test_any_text_is_an_expression_or_refused(pattern, text):
    try:
        regexp = Regexp(pattern)
    except InvalidInput:
        return
    assert regexp.matches(text) is (regexp.find(text) is not None)


@given(st.text("(|)*+?[]{}\\^$.ab01,:<>P-iQELp", max_size=16), st.text("ab\n", max_size=6))
def test_so_is_any_text_of_the_characters_that_mean_something(pattern, text):
    test_any_text_is_an_expression_or_refused.hypothesis.inner_test(pattern, text)


@given(st.text("ab$é{}1", max_size=12))
def test_a_template_without_a_dollar_is_itself(template):
    regexp = Regexp("a")
    text = expander(template.replace("$", "$$"), regexp)("a", [0, 1])
    assert text == template
