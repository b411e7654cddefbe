"""Limits: what an expression may come to, and the work it may make; counted, not timed."""

import random

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.regexp import alike, automaton, expression, steps
from tidegate.base.regexp.expression import Regexp
from tidegate.base.regexp.parser import LONGEST, MOST_INSTRUCTIONS

HOSTILE = [
    (r"(a*)*b", "a"),
    (r"(a|aa)+$", "a"),
    (r"(a|a)*c", "a"),
    (r"(x+x+)+y", "x"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
    (r"(.*)(.*)(.*)(.*)(.*)(.*)x", "a"),
    (r"((a{0,5}){0,5}){0,5}[bc]", "a"),
    (r"(?:a?){100}a{100}", "a"),
    (r"(.*?,){11}P", "1,2,3,4,"),
    (r"(a|b)*a(a|b){12}c", "abbab"),
    (r"(?i)(\pL+\d*)+-$", "éa1"),
    (r"\b(\w+\b\W*)+!$", "ab, "),
    (r"(?m)(^.*$\n?)+x\z", "ab\n"),
    (r"([^a]*a){20}$", "bba"),
]


def work(pattern, text, find):
    regexp = Regexp(pattern)
    before = regexp.steps
    regexp.find(text) if find else regexp.matches(text)
    return regexp.steps - before


@pytest.mark.parametrize("find", [True, False])
@pytest.mark.parametrize(("pattern", "unit"), HOSTILE)
def test_twice_the_text_is_at_most_two_and_a_half_times_the_work(pattern, unit, find):
    for count in (300, 600, 1_200):
        once, twice = (work(pattern, unit * times, find) for times in (count, 2 * count))
        assert twice <= 2.5 * once


@pytest.mark.parametrize(("pattern", "unit"), HOSTILE)
def test_so_it_is_where_every_text_is_another(pattern, unit, monkeypatch):
    monkeypatch.setattr(automaton, "MOST_CELLS", 0)
    monkeypatch.setattr(expression, "LARGEST_TRAIL", -1)
    once, twice = (work(pattern, unit * times, find=True) for times in (300, 600))
    assert twice <= 2.5 * once


def test_work_is_at_most_the_product_of_text_and_program():
    dice = random.Random(5)
    text = "".join(dice.choice("ab") for _ in range(2_000))
    regexp = Regexp("(a|b)*a(a|b){40}c")
    regexp.find(text)
    assert regexp.steps <= len(text) * regexp.size


def test_what_is_kept_of_a_hostile_expression_is_bounded(monkeypatch):
    monkeypatch.setattr(automaton, "MOST_CELLS", 5_000)
    dice = random.Random(5)
    regexp = Regexp("(a|b)*a(a|b){30}$")
    most = 0
    for _ in range(50):
        regexp.find("".join(dice.choice("ab") for _ in range(100)))
        most = max(most, regexp.kept)
    assert most <= 5_000 + 100


def test_answers_that_are_kept_are_bounded():
    kept = alike.Kept()
    for number in range(3 * alike.MOST_KEPT):
        kept.keep(str(number).encode(), number)
    assert sum(kept.get(str(number).encode()) is not None for number in range(3 * alike.MOST_KEPT)) <= alike.MOST_KEPT


def test_tags_that_are_alike_cost_their_characters_alone():
    regexp = Regexp(r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$")
    dice = random.Random(3)
    tags = [f"main-{dice.getrandbits(28):07x}-{1_700_000_000 + number}" for number in range(20_000)]
    assert all(regexp.find(tag) for tag in tags)
    assert regexp.steps <= sum(map(len, tags)) + 2_000


def test_a_decision_has_a_limit_of_work_and_the_next_one_its_own(monkeypatch):
    monkeypatch.setattr(steps, "MOST_WORK", 10_000)
    regexp = Regexp("(?:a?){100}b")
    with pytest.raises(LimitExceeded, match="more than 10000 steps"):
        regexp.find("a" * 5_000)
    with pytest.raises(LimitExceeded):
        regexp.find("a" * 150)
    regexp.renew()
    assert regexp.matches("aab")


def nested(begin, end, depth):
    return begin * depth + "a" + end * depth


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (nested("(", ")", 1_000), "expression nests too deeply"),
        (nested("(?:", ")*", 1_000), "expression nests too deeply"),
        ("(?:(?:a{2}){2}){251}", "invalid repeat count"),
        ("((a{10}){10}){11}", "invalid repeat count"),
        ("((aa?){1000}){1000}", "expression too large"),
        ("(?:a{500}b{500}){1}" * (MOST_INSTRUCTIONS // 1_000 + 1), "expression too large"),
        ("a" * (LONGEST + 1), "expression too large"),
        (r"(?i)" + "".join(rf"[\x{{1}}-\x{{1E{n:03X}}}]" for n in range(2_000)), "expression too large"),
        ("".join(rf"[\pL{n}]" for n in range(4_000)), "expression too large"),
        ("a\udc80", "invalid UTF-8"),
    ],
    ids=range(10),
)
def test_an_expression_beyond_a_limit_is_refused(pattern, reason):
    with pytest.raises(InvalidInput, match=f"error parsing regexp: {reason}: `"):
        Regexp(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        nested("(", ")", 999),
        nested("(?:", ")", 15_000),
        nested("(?:", ")*", 999),
        "(?:(?:a{2}){2}){250}",
        "((a{10}){10}){10}",
        "(?:a{1000}){0}",
    ],
    ids=range(6),
)
def test_one_within_the_limits_is_not(pattern):
    assert Regexp(pattern).matches("a" * 1_000)


def test_neither_is_the_longest():
    assert Regexp("a" * LONGEST).size == LONGEST + 1


def test_a_refusal_says_what_to_do():
    for pattern in ("a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b"):
        with pytest.raises(InvalidInput) as caught:
            Regexp(pattern)
        assert "no lookahead or lookbehind" in str(caught.value.remedy)
    with pytest.raises(InvalidInput) as caught:
        Regexp(r"(a)\1")
    assert "no back-references" in str(caught.value.remedy)


def test_half_a_surrogate_pair_in_a_text_is_what_go_makes_of_bytes_that_are_no_utf8():
    assert list(Regexp("a(.)b").find("a\udcffb")) == [0, 3, 1, 2]
    assert Regexp("^\ufffd$").matches("\ud800")
    assert not Regexp(r"\x{D800}|\p{Cs}").matches("\ud800")
