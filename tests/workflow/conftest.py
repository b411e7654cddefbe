"""What the tests of the workflow language share."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.problems import InvalidWorkflow


@pytest.fixture
def read() -> Callable[[str], Workflow]:
    """Read an indented workflow text; `on: push` where it says nothing of `on`."""

    def parse(text: str) -> Workflow:
        text = textwrap.dedent(text)
        return parse_workflow((text if "\non:" in f"\n{text}" else f"on: push\n{text}").encode(), "ci.yaml")

    return parse


@pytest.fixture
def refused(read: Callable[[str], Workflow]) -> Callable[[str], str]:
    """What is said of a workflow that cannot be read."""

    def parse(text: str) -> str:
        with pytest.raises(InvalidWorkflow) as invalid:
            read(text)
        return str(invalid.value)

    return parse
