"""Applies and patches as Kubernetes itself does them.

The rows of golden_merges.jsonl were made with k8s.io/client-go v0.32.4 (its fake clientset, which keeps managed fields)
from random sequences of applies, updates and patches of a Deployment: each step with the object and the fields that
appliers owned afterwards, or the error.
"""

import json
import re
from pathlib import Path

import pytest

from tidegate.base.errors import Conflict
from tidegate.engine import merge_apply
from tidegate.engine.merge_patch import merge_patch
from tidegate.engine.merge_schema import merge_schema
from tidegate.engine.merge_strategic import strategic_merge_patch

ROWS = [json.loads(line) for line in (Path(__file__).parent / "golden_merges.jsonl").read_text().splitlines()]
SCHEMA = merge_schema("apps", "Deployment")
EMPTY = (None, {}, [])


def without_empty(value):
    """The typed objects of the real library leave out what is empty."""
    if isinstance(value, dict):
        kept = {name: without_empty(below) for name, below in value.items()}
        return {name: below for name, below in kept.items() if below not in EMPTY}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def content(obj):
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return without_empty({"metadata": metadata, "spec": obj.get("spec")})


def applied(obj):
    lines = obj["metadata"].get("managedFields", [])
    return {line["manager"]: line["fieldsV1"] for line in lines if line["operation"] == "Apply"}


def take(live, step, now):
    body, manager = step["body"], step["manager"]
    if step["op"] == "apply":
        return merge_apply.apply(live, body, manager=manager, force=step["force"], now=now)
    if step["op"] == "create":
        return merge_apply.note_update({}, body, manager=manager, now=now)
    after = strategic_merge_patch(live, body, SCHEMA) if step["op"] == "strategic" else merge_patch(live, body)
    return merge_apply.note_update(live, after, manager=manager, now=now)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['kind']}-{number}" for number, row in enumerate(ROWS)])
def test_as_kubernetes(row):
    live = None
    for number, step in enumerate(row["steps"]):
        now = f"2026-01-15T12:{number:02}:00Z"
        if "error" in step:
            with pytest.raises(Conflict) as error:
                take(live, step, now)
            # The real library's fake keeps no times, so its message lacks them.
            assert re.sub(r" at 2026-01-15T12:\d\d:00Z", "", error.value.message) == step["error"]
        else:
            live = take(live, step, now)
            assert content(live) == step["result"]
            assert applied(live) == step["applied"]
