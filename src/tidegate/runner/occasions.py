"""What made a run run: from its object to the event, as the triggers and the `github` context see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.git.repository import Repository
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner.pushes import RefChange, base_payload, push_payload
from tidegate.runner.request_runs import is_of_forge, request_payload
from tidegate.workflow.inputs import dispatched_inputs, event_inputs
from tidegate.workflow.model import PullRequestTrigger, Workflow
from tidegate.workflow.resolve import Scope
from tidegate.workflow.triggers import Event, matches

_BRANCH = "refs/heads/"
NO_NUMBER = 0
"""The number of a pull request that is on no forge."""


@frozen
class Occasion:
    """The event, the `inputs` context, and entries of the `github` context that only this event has."""

    event: Event
    inputs: Mapping[str, Any] = field(default_factory=dict)
    github: Mapping[str, Any] = field(default_factory=dict)


async def occasion(repository: Repository, run: WorkflowRun, workflow: Workflow, scope: Scope) -> Occasion:
    """The occasion of a run. `scope` has `github` (without its event) and `vars`, for the defaults of inputs.

    Raises InvalidInput where the workflow does not run for this event, or its inputs are wrong.
    """
    message = (await repository.log(run.commit)).message
    match run.event:
        case "workflow_dispatch":
            inputs = dispatched_inputs(workflow, run.inputs, scope)
            payload = await base_payload(repository, run.repository)
            payload |= {"inputs": event_inputs(inputs), "ref": run.ref, "workflow": run.workflow}
            return Occasion(Event(run.event, ref=run.ref, after=run.commit, message=message, payload=payload), inputs)
        case "pull_request" if is_of_forge(run):
            event = await request_event(repository, run)
            github = {"ref_name": f"{run.cause['number']}/merge", "base_ref": run.base}
            return Occasion(event, github={**github, "head_ref": run.cause.get("branch", "")})
        case "pull_request":
            return await _pull_request(repository, run, workflow, message)
        case "schedule" | "workflow_run":
            payload = await base_payload(repository, run.repository) | _caused(run)
            source = run.cause.get("schedule") or run.cause.get("title", "")
            event = Event(run.event, ref=run.ref, after=run.commit, message=message, source=source, payload=payload)
            return Occasion(event)
        case "push":
            payload = await push_payload(repository, RefChange(run.ref, run.before, run.commit), name=run.repository)
            return Occasion(Event(run.event, ref=run.ref, after=run.commit, message=message, payload=payload))

        case _:
            raise InvalidInput(f"the event {run.event!r} never happens here")


def _caused(run: WorkflowRun) -> dict[str, Any]:
    """The part of the payload that tells of the schedule, or of the run that is followed."""
    cause = run.cause
    if run.event == "schedule":
        return {"schedule": cause.get("schedule", ""), "workflow": run.workflow}
    followed = {
        "id": _number(cause.get("id")),
        "name": cause.get("title", ""),
        "path": cause.get("workflow", ""),
        "head_branch": cause.get("branch", ""),
        "head_sha": cause.get("commit", ""),
        "event": cause.get("event", ""),
        "run_number": _number(cause.get("number")),
        "run_attempt": _number(cause.get("attempt")),
        "status": cause.get("status", ""),
        "conclusion": cause.get("conclusion") or None,
    }
    workflow = {"name": cause.get("title", ""), "path": cause.get("workflow", ""), "state": "active"}
    return {"action": cause.get("action", ""), "workflow_run": followed, "workflow": workflow}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


async def request_event(repository: Repository, run: WorkflowRun) -> Event:
    """The event of a request on a forge. The files are those that differ between its branch and the commit where that
    left the base; the message that of its branch's last commit.
    """
    head, base = run.cause["head"], run.cause["base"]
    merge_base = await repository.merge_base(base, head)
    return Event(
        run.event,
        ref=run.ref,
        after=run.commit,
        changed=await repository.changed(merge_base, head),
        message=(await repository.log(head)).message,
        branch=run.base,
        action=run.cause["action"],
        payload=request_payload(run, await base_payload(repository, run.repository)),
    )


async def _pull_request(repository: Repository, run: WorkflowRun, workflow: Workflow, message: str) -> Occasion:
    """A request to merge the run's branch into its base. The commit is the branch's own: nothing is merged for it."""
    head = run.ref.removeprefix(_BRANCH)
    base = await repository.resolve(f"{_BRANCH}{run.base}")
    if base is None:
        raise InvalidInput(f"the base branch {run.base!r} is gone")
    merge_base = await repository.merge_base(base, run.commit)
    payload = await base_payload(repository, run.repository)
    title = message.lstrip("\n").partition("\n")[0].strip()
    request = {
        "number": NO_NUMBER,
        "title": title,
        "state": "open",
        "draft": False,
        "merged": False,
        "user": payload["sender"],
        "head": {"ref": head, "sha": run.commit, "repo": payload["repository"]},
        "base": {"ref": run.base, "sha": base, "repo": payload["repository"]},
    }
    trigger = workflow.triggers.get(run.event)
    types = trigger.types if isinstance(trigger, PullRequestTrigger) else ()
    action = "synchronize" if "synchronize" in types else next(iter(types), "synchronize")
    payload |= {"action": action, "number": NO_NUMBER, "pull_request": request}
    ref = f"refs/pull/{NO_NUMBER}/merge"
    event = Event(
        run.event,
        ref=ref,
        after=run.commit,
        changed=await repository.changed(merge_base, run.commit),
        message=message,
        branch=run.base,
        payload=payload,
    )
    match = matches(workflow, event)
    if not match.runs:
        raise InvalidInput(f"the workflow does not run for this pull request: {match.reason}")
    github = {"ref": ref, "ref_name": f"{NO_NUMBER}/merge", "base_ref": run.base, "head_ref": head}
    return Occasion(event, github=github)
