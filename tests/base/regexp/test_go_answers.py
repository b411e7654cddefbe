"""Expressions, groups and templates against what Go answered.

The answers in go_answers.jsonl are Go 1.26's, written by tools/regexp_answers.go.
"""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.regexp import expression
from tidegate.base.regexp.expand import expander
from tidegate.base.regexp.expression import Regexp

ROWS = [json.loads(line) for line in Path(__file__).with_name("go_answers.jsonl").read_text().split("\n") if line]


def answers(row):
    regexp = Regexp(row["pattern"])
    expand = expander(row["extract"], regexp)
    found = [(index, tag, regexp.find(tag)) for index, tag in enumerate(row["tags"])]
    for _, tag, groups in found:
        assert regexp.matches(tag) is (groups is not None)
    return [[index, expand(tag, groups)] for index, tag, groups in found if groups is not None]


@pytest.mark.parametrize("row", ROWS, ids=[str(number) for number in range(len(ROWS))])
def test_the_answer_is_go_s(row):
    if "error" in row:
        with pytest.raises(InvalidInput) as caught:
            Regexp(row["pattern"])
        assert caught.value.message == row["error"]
    else:
        assert answers(row) == row.get("out", [])


def test_it_is_in_long_texts_too(monkeypatch):
    monkeypatch.setattr(expression, "LARGEST_TRAIL", -1)
    for row in ROWS:
        if "error" not in row:
            assert answers(row) == row.get("out", [])
