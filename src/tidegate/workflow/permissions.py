"""What a job's own token may do, by scope: as written, as the default, and no more than whoever calls it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.workflow.model import Job, Permissions, Workflow
from tidegate.workflow.triggers import Event

DEFAULT_PERMISSIONS: Mapping[str, str] = {"contents": "read", "packages": "read"}
_LEVELS = ("none", "read", "write")


def permissions_of(
    workflow: Workflow, job: Job, event: Event, most: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The token's permissions by scope, without those that are none; `*` stands for all scopes not named.

    The job's block counts, else the workflow's, else what the caller has (`most`), else reading of contents and
    packages. Never more than `most`, and a pull request's run only reads.
    """
    written = job.permissions or workflow.permissions
    found = granted(written) if written is not None else dict(DEFAULT_PERMISSIONS if most is None else most)
    if most is not None:
        found = limited(found, most)
    if event.name == "pull_request":
        found = {scope: "read" if level == "write" else level for scope, level in found.items()}
    return found


def granted(permissions: Permissions) -> dict[str, str]:
    """A `permissions:` block by scope."""
    every = {} if permissions.every == "none" else {"*": permissions.every}
    return every | {scope: level for scope, level in permissions.scopes.items() if level != "none" or every}


def limited(permissions: Mapping[str, str], most: Mapping[str, str]) -> dict[str, str]:
    """The lower of two levels for every scope that either names."""
    scopes = dict.fromkeys((*permissions, *most))
    lower = {scope: min(_level(permissions, scope), _level(most, scope), key=_LEVELS.index) for scope in scopes}
    return {scope: level for scope, level in lower.items() if level != "none" or "*" in lower}


def allows(permissions: Mapping[str, str], scope: str, level: str) -> bool:
    """Whether permissions reach as far as `level` (none, read or write) for a scope such as `packages`."""
    return _LEVELS.index(_level(permissions, scope)) >= _LEVELS.index(level)


def _level(permissions: Mapping[str, str], scope: str) -> str:
    return permissions.get(scope, permissions.get("*", "none"))
