"""What a run's own token may do here, from the permissions of its job. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.workflow.permissions import allows


def scopes(permissions: Mapping[str, str], repository: str) -> list[str]:
    """The scopes of a token: `repo:OWNER/NAME:read|write`, `packages:OWNER:read|write`. An image's name has no capital
    letters, so an owner who has is meant by the same name without, as at ghcr.io.
    """
    owner = repository.partition("/")[0].lower()
    found = []
    for scope, name in (("contents", f"repo:{repository}"), ("packages", f"packages:{owner}")):
        level = next((level for level in ("write", "read") if allows(permissions, scope, level)), None)
        if level is not None:
            found.append(f"{name}:{level}")
    return found
