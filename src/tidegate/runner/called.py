"""What a called workflow is given by the job that calls it, and what it gives back. Pure."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.workflow.inputs import called_inputs
from tidegate.workflow.model import CalledWorkflow, CallTrigger, Table
from tidegate.workflow.plan import JobResult, Plan, PlannedJob, plan
from tidegate.workflow.resolve import Scope, text_value, value_of

TOKEN_STAND_IN = f"tidegate-token-{randomness.token_hex(16)}"
"""Stands for the token of whichever job is given it: each has its own, which is there only once it begins."""


@frozen
class PreparedCall:
    """A called workflow that can begin."""

    plan: Plan
    trigger: CallTrigger
    contexts: Mapping[str, Any]
    secrets: Mapping[str, str]

    def outputs(self, results: Mapping[str, JobResult]) -> dict[str, str]:
        """The outputs that the called workflow maps from those of its jobs. Raises InvalidInput."""
        jobs = {name: {"result": one.result, "outputs": dict(one.outputs)} for name, one in results.items()}
        scope = Scope({**self.contexts, "jobs": jobs})
        return {name: text_value(value, scope) for name, value in self.trigger.outputs.items()}


def prepare_call(
    caller: Plan, planned: PlannedJob, contexts: Mapping[str, Any], secrets: Mapping[str, str]
) -> PreparedCall:
    """Evaluate the call of a job that was linked before the run, with the job's contexts and its run's secrets.

    Raises InvalidInput.
    """
    call, linked = planned.job.calls, caller.calls.get(planned.job.id)
    trigger = linked.workflow.triggers.get("workflow_call") if linked is not None else None
    assert call is not None
    assert linked is not None
    assert isinstance(trigger, CallTrigger)
    kept = {name: contexts[name] for name in ("github", "vars") if name in contexts}
    given = value_of(call.inputs, Scope(contexts))
    if not isinstance(given, Mapping):
        raise InvalidInput("the expression of 'with' gives no mapping", where=call.inputs.where)
    known = {one.name.lower() for one in trigger.inputs}
    wrong = [f"there is no input {name!r}" for name in given if name.lower() not in known]
    inputs, unfit = called_inputs(trigger, given, Scope({**kept, "inputs": {}}))
    if wrong or unfit:
        raise InvalidInput(f"{call.uses} can't be called: {'; '.join([*wrong, *unfit])}", where=call.uses_where)
    own = {**kept, "inputs": inputs}
    passed = _secrets(call, contexts, secrets)
    return PreparedCall(plan(linked, caller.event, own, planned.permissions), trigger, own, passed)


def _secrets(call: CalledWorkflow, contexts: Mapping[str, Any], secrets: Mapping[str, str]) -> Mapping[str, str]:
    if call.secrets == "inherit":
        return secrets
    # Where a home issues no tokens, the Runner's Secret may hold one for all.
    own = {name: value for name, value in secrets.items() if name == "GITHUB_TOKEN"}
    if not isinstance(call.secrets, Table):
        return own
    scope = Scope({**contexts, "secrets": {**secrets, "GITHUB_TOKEN": TOKEN_STAND_IN}})
    found = {name: value_of(entry, scope) for name, entry in call.secrets.entries.items()}
    return {name: "" if value is None else str(value) for name, value in found.items()} | own


def with_token(secrets: Mapping[str, str], token: str) -> dict[str, str]:
    """A job's secrets, with its own token as GITHUB_TOKEN and wherever a caller has passed that on."""
    token = token or secrets.get("GITHUB_TOKEN", "")
    found = {name: value.replace(TOKEN_STAND_IN, token) for name, value in secrets.items()}
    return {**found, **({"GITHUB_TOKEN": token} if token else {})}
