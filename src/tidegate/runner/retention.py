"""Which runs are no longer kept. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tidegate.kinds.objects import Object
from tidegate.kinds.workflow_run import COMPLETED

KEPT = 50


def superfluous(runs: Sequence[Object], kept: int) -> list[Object]:
    """The completed runs of one repository beyond the last `kept` of each workflow. What is not over is never one."""
    by_workflow: dict[str, list[Object]] = defaultdict(list)
    for run in runs:
        by_workflow[str(run["spec"].get("workflow", ""))].append(run)
    found = []
    for group in by_workflow.values():
        newest_first = sorted(group, key=_number, reverse=True)
        found += [run for run in newest_first[kept:] if (run.get("status") or {}).get("status") == COMPLETED]
    return found


def _number(run: Object) -> int:
    number = run["spec"].get("runNumber")
    return number if isinstance(number, int) else 0
