"""The decisions against what the libraries answered that they follow, to made-up requests.

semver.jsonl: github.com/Masterminds/semver v3.5.0 over tags that have two dots. numerical.jsonl: Go 1.26's strconv with
Flux's rule for equal numbers. references.jsonl: github.com/google/go-containerregistry v0.22.0. durations.jsonl: Go's
time. cron.jsonl: github.com/robfig/cron v3.0.1. kustomize.jsonl: sigs.k8s.io/kustomize/api v0.21.1.
"""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import TidegateError
from tidegate.cli import try_cron, try_duration, try_reference, try_render, try_select


def selected(request):
    answer = try_select.answer(request)
    return answer and answer["tag"]


TABLES = {
    "semver": selected,
    "numerical": selected,
    "references": try_reference.answer,
    "durations": try_duration.answer,
    "cron": try_cron.answer,
    "kustomize": try_render.answer,
}
ROWS = [
    pytest.param(answer, json.loads(line), id=f"{table}-{number}")
    for table, answer in TABLES.items()
    for number, line in enumerate((Path(__file__).parent / f"data/{table}.jsonl").read_text("utf-8").split("\n"), 1)
    if line
]


@pytest.mark.parametrize(("answer", "row"), ROWS)
def test_the_library_says_the_same(answer, row):
    if "error" in row:
        with pytest.raises(TidegateError):
            answer(row["request"])
    else:
        assert answer(row["request"]) == row["result"]
