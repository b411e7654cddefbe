"""Templates against what Go answered.

go_answers.jsonl holds the answers of text/template with the hermetic functions of Masterminds/sprig 3.3.0, run over
the data in its first line.
"""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.update.message import render_message
from tidegate.update.message_data import MessageData

DATA, *ROWS = [json.loads(line) for line in Path(__file__).with_name("go_answers.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[str(number) for number in range(len(ROWS))])
def test_the_answer_is_go_s(row: dict[str, str]) -> None:
    data = MessageData.from_json(DATA["data"])
    if "out" in row:
        assert render_message(row["template"], data) == row["out"]
    else:
        with pytest.raises(InvalidInput):
            render_message(row["template"], data)
