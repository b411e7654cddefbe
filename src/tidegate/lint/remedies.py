"""The smallest change that breaks a loop: a line in a filter of paths, or a skip word in a commit message. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.lint.repository import Found
from tidegate.workflow.model import Filter, PullRequestTrigger, PushTrigger, Workflow

SKIP = "[skip ci]"
_SPECIAL = re.compile(r"[\\*?+\[\]!]")


def escaped(path: str) -> str:
    """A path as a pattern that matches nothing else."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", path)


def patterns(paths: Filter | None, files: Sequence[str]) -> list[str]:
    """The patterns to add: excluding ones below `paths`, plain ones below `paths-ignore`."""
    sign = "!" if paths is not None and not paths.ignore else ""
    return [f"{sign}{escaped(path)}" for path in files]


def remedy(automation: Found[ImageUpdateAutomation], workflow: Workflow, event: str, files: Sequence[str]) -> str:
    """What to write where."""
    trigger = workflow.triggers.get(event)
    word = f"or write {SKIP} in the commit message: spec.git.commit.messageTemplate of {_place(automation)}"
    if not isinstance(trigger, PushTrigger | PullRequestTrigger):
        return f"write {SKIP} in the commit message: spec.git.commit.messageTemplate of {_place(automation)}"
    paths = trigger.paths
    listed = ", ".join(f"'{pattern}'" for pattern in patterns(paths, files))
    if paths is None:
        return f"add to on.{event} in {workflow.file}:{trigger.where.line}: paths-ignore: [{listed}]; {word}"
    key = "paths-ignore" if paths.ignore else "paths"
    line = paths.patterns[-1].where.line if paths.patterns else paths.where.line
    return f"add to {key} after {workflow.file}:{line}: {listed}; {word}"


def _place(automation: Found[ImageUpdateAutomation]) -> str:
    where = automation.place.key("spec", "git", "commit")
    return f"{where.file}:{where.line}"
