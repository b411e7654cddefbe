"""What can be asked of a run, as the patch of its object: to run again, all of it or what failed, and to end. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.workflow_run import COMPLETED
from tidegate.runner.names import CANCEL, ONLY_FAILED, RERUN

Patch = dict[str, Any]


def rerun_patch(run: Object, moment: datetime, *, failed: bool = False) -> Patch:
    """Have a run that is over run again as its next attempt: all of it, or what `failed` and what needs that. `moment`
    tells one such wish from another. InvalidInput where the run is not over, or nothing of it failed.
    """
    if not is_over(run) or is_asked_again(run):
        raise InvalidInput(f"the run {_name(run)} is not over yet", remedy=f"end it: tidegate runs cancel {_name(run)}")
    if failed and run["status"].get("conclusion") == "success":
        raise InvalidInput(f"no job of the run {_name(run)} failed", remedy="leave out --failed to run all of it again")
    wish = f"{ONLY_FAILED} {moment.isoformat()}" if failed else moment.isoformat()
    annotations = {RERUN: wish, CANCEL: None}
    return {"metadata": {"annotations": annotations}, "spec": {"cancel": None}}


def cancel_patch(run: Object) -> Patch:
    """Have a run end; what its steps say for that case still runs. InvalidInput where it is over."""
    if is_over(run) and not is_asked_again(run):
        conclusion = run["status"].get("conclusion")
        raise InvalidInput(f"the run {_name(run)} is over: {conclusion}", remedy="see: tidegate runs")
    return {"metadata": {"annotations": {CANCEL: "true"}}}


def is_over(run: Object) -> bool:
    """Whether a run has come to its end."""
    return bool((run.get("status") or {}).get("status") == COMPLETED)


def is_asked_again(run: Object) -> bool:
    """Whether a run that is over is to run again, and has not begun to."""
    wish, status = annotation(run, RERUN), run.get("status") or {}
    return is_over(run) and bool(wish) and wish != status.get("lastHandledRerun")


def keeps_what_succeeded(run: Object) -> bool:
    """Whether only those jobs of a run that is to run again are meant which did not succeed."""
    return is_asked_again(run) and (annotation(run, RERUN) or "").startswith(ONLY_FAILED)


def _name(run: Object) -> str:
    return str(run["metadata"]["name"])
