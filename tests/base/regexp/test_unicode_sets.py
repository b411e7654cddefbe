"""Named sets, classes and case folding against Go's.

go_sets.jsonl was written by tools/regexp_answers.go: for each set of one character the number of code points in it, and
a hash of its ranges. Half a surrogate pair is left out: no text has one.
"""

import hashlib
import json
from pathlib import Path

import pytest

from tidegate.base.regexp.parser import parse
from tidegate.base.regexp.program import Op
from tidegate.base.regexp.runes import SURROGATES, negated, pairs_of, union
from tidegate.base.regexp.unicode import folded, folded_one, named

ROWS = [json.loads(line) for line in Path(__file__).with_name("go_sets.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row["pattern"] for row in ROWS])
def test_the_set_is_go_s(row):
    program = parse(row["pattern"])
    assert list(program.ops) == [Op.RUNE, Op.MATCH]
    bounds = negated(union([negated(program.sets[0]), SURROGATES]))
    assert sum(high - low for low, high in pairs_of(bounds)) == row["size"]
    assert hashlib.sha256("".join(f"{bound} " for bound in bounds).encode()).hexdigest()[:16] == row["ranges"]


def test_every_orbit_of_the_folds_closes():
    everything = folded_one(ord("k"))
    assert [code for low, high in pairs_of(everything) for code in range(low, high)] == [0x4B, 0x6B, 0x212A]
    letters = named("L")
    assert letters is not None
    assert folded(folded(letters)) == folded(letters)


@pytest.mark.parametrize("name", ["", "_", "x" * 2_000, "Old_Italic", "Lu^", "é", "Greekk"])
def test_other_names_are_none(name):
    assert named(name) is None


@pytest.mark.parametrize("name", ["greek", "GREEK", "_g r-eek"])
def test_names_are_found_in_any_spelling(name):
    assert named(name) == named("Greek")
