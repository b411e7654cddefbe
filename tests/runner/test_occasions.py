"""What a run's event tells its workflow, where no Git is needed for it."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.objects import ObjectKey
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner.occasions import occasion
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.resolve import Scope

WORKFLOW = parse_workflow(b"on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}", "ci.yaml")


class Commit:
    message = "Change"


class Repository:
    """Knows one commit, and its default branch."""

    async def log(self, commit):
        return Commit()

    async def head(self):
        return "refs/heads/main"


def run(event, **cause):
    return WorkflowRun(
        key=ObjectKey("tidegate.dev", "WorkflowRun", "n", "r"), version="v1alpha1", repository="acme/shop",
        workflow="ci.yaml", event=event, ref="refs/heads/main", commit="c" * 40, actor="acme", cause=cause,
    )  # fmt: skip


async def payload_of(event, **cause):
    return (await occasion(Repository(), run(event, **cause), WORKFLOW, Scope())).event.payload


async def test_a_schedule_names_its_line():
    payload = await payload_of("schedule", schedule="0 6 * * *")
    assert payload["schedule"] == "0 6 * * *"
    assert payload["repository"]["full_name"] == "acme/shop"


async def test_a_run_that_is_followed_is_told_whatever_an_object_says():
    payload = await payload_of("workflow_run", action="completed", id="7", number="many", title="Build", conclusion="")
    told = payload["workflow_run"]
    assert (payload["action"], told["id"], told["run_number"], told["conclusion"]) == ("completed", 7, 0, None)


async def test_an_event_that_never_happens_is_refused():
    with pytest.raises(InvalidInput, match="'issues' never happens here"):
        await payload_of("issues")
