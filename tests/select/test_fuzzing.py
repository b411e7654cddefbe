"""Whatever is thrown at a decision (ranges, patterns, templates, tags), only our own errors come out.

TIDEGATE_FUZZ is how many requests of each kind are tried, for a longer run than this one.
"""

import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.base.errors import TidegateError
from tidegate.cli import try_filter, try_select
from tidegate.select.advice import Rule
from tidegate.select.explanation import Listed, explained
from tidegate.select.filters import TagFilter
from tidegate.select.policy import Policy, select

RANGE_PARTS = st.sampled_from(
    [">", "<", "=", "!", "~", "^", "||", "|", ",", " ", "-", " - ", ".", "+", "1", "0", "2.3", "x", "X", "*", "v", "rc",
     "\t", "18446744073709551616", "é", "٣", "\x00", "-0", "1.2.3-a.01"]
)  # fmt: skip
PATTERN_PARTS = st.sampled_from(
    ["(", ")", "(?:", "(?P<n>", "(?i)", "(?=", "[", "]", "[^", "a-", "\\d", "\\p{L}", "\\pN", "\\Q", "\\E", "\\x{", "}",
     "*", "+", "?", "{2,3}", "{1000}", "{,", "|", "^", "$", ".", "\\b", "\\", "a", "1", "é", "\\1", "[[:alpha:]]", "\n"]
)  # fmt: skip
TEMPLATE_PARTS = st.sampled_from(["$", "$1", "${", "}", "$n", "${n}", "$$", "$99999999999", "x", "é", "$é", "${1"])
ANY_TEXT = st.text(max_size=12)


def texts(parts):
    return st.one_of(st.lists(parts, max_size=10).map("".join), ANY_TEXT)


TAGS = st.lists(
    st.one_of(
        st.from_regex(r"v?[0-9]{1,2}(\.[0-9x]{1,2}){0,3}(-[a-z0-9.]{1,5})?(\+[a-z]{1,2})?", fullmatch=True),
        texts(RANGE_PARTS),
        st.sampled_from(["inf", "nan", "-0", "1e400", "0x1p-2", "1_0", "\ud800"]),
    ),
    max_size=12,
)
ORDER = st.one_of(st.sampled_from(["asc", "desc", ""]), ANY_TEXT)
MANY = settings(max_examples=int(os.environ.get("TIDEGATE_FUZZ", "60")), deadline=None)


@st.composite
def requests(draw):
    """A request with a policy of any kind and perhaps filters, all of them as odd as can be."""
    name, value = draw(
        st.one_of(
            st.tuples(st.just("semver"), texts(RANGE_PARTS)),
            st.tuples(st.sampled_from(["alphabetical", "numerical"]), ORDER),
        )
    )
    request = {name: value, "input": draw(TAGS)}
    for field, values in (("filter", PATTERN_PARTS), ("extract", TEMPLATE_PARTS), ("exclude", PATTERN_PARTS)):
        if draw(st.booleans()):
            request[field] = draw(texts(values))
    return request


@MANY
@given(requests())
def test_a_selection_ends_in_an_answer_or_an_error_of_ours(request):
    try:
        answer = try_select.answer(request)
    except TidegateError:
        return
    if answer is not None:
        assert answer["tag"] in request["input"] or not answer["tag"].isascii()
        assert len(answer["rejected"]) == len(request["input"]) - 1
    json.dumps(answer)


@MANY
@given(texts(PATTERN_PARTS), texts(TEMPLATE_PARTS), TAGS)
def test_a_filter_ends_in_an_answer_or_an_error_of_ours(pattern, extract, tags):
    try:
        answer = try_filter.answer({"pattern": pattern, "extract": extract, "input": tags})
    except TidegateError:
        return
    assert [row["tag"] for row in answer if row["tag"] not in tags and row["tag"].isascii()] == []


@MANY
@given(requests(), TAGS, TAGS)
def test_an_explanation_ends_in_an_answer_or_an_error_of_ours(request, excluded, unscanned):
    try:
        policy = next(make(request[name]) for name, make in MAKERS.items() if name in request)
        tag_filter = TagFilter(request.get("filter"), request.get("extract"), [request.get("exclude") or "^$"])
        decision = select(policy, request["input"], tag_filter)
    except TidegateError:
        return
    made = explained(decision, Rule(policy, tag_filter), Listed(excluded, unscanned), excluded)
    assert made.total == len(request["input"]) + len(excluded) + len(unscanned)
    assert made.advice


MAKERS = {"semver": Policy.by_semver, "alphabetical": Policy.by_alphabet, "numerical": Policy.by_number}
