"""The `github` and `runner` contexts, and the variables that every step gets from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.platform import Platform
from tidegate.runner.layout import Layout

# The entries of the github context that become GITHUB_… variables (actions/runner's allow list, as far as they exist).
_AS_VARIABLES = (
    "action", "actor", "actor_id", "api_url", "base_ref", "event_name", "event_path", "graphql_url", "head_ref", "job",
    "ref", "ref_name", "ref_protected", "ref_type", "repository", "repository_id", "repository_owner",
    "repository_owner_id", "retention_days", "run_attempt", "run_id", "run_number", "server_url", "sha",
    "triggering_actor", "workflow", "workflow_ref", "workflow_sha", "workspace",
)  # fmt: skip
_ARCHITECTURES = {"amd64": "X64", "arm64": "ARM64", "arm": "ARM", "386": "X86"}


@frozen
class RunFacts:
    """What a run is, as far as the github context tells it. `ref` is full; `event` is the event's payload."""

    repository: str
    workflow: str
    workflow_file: str
    event_name: str
    ref: str
    sha: str
    actor: str
    run_id: int
    run_number: int
    run_attempt: int
    server_url: str
    event: Mapping[str, Any]


def github_context(facts: RunFacts) -> dict[str, Any]:
    """The github context of a run, before a job adds its own entries."""
    owner, _, _ = facts.repository.partition("/")
    kind, name = ref_parts(facts.ref)
    return {
        "actor": facts.actor,
        "api_url": f"{facts.server_url}/api/v3",
        "base_ref": "",
        "event": dict(facts.event),
        "event_name": facts.event_name,
        "graphql_url": f"{facts.server_url}/api/graphql",
        "head_ref": "",
        "ref": facts.ref,
        "ref_name": name,
        "ref_protected": False,
        "ref_type": kind,
        "repository": facts.repository,
        "repository_owner": owner,
        "repositoryUrl": f"{facts.server_url}/{facts.repository}.git",
        "retention_days": "90",
        "run_attempt": str(facts.run_attempt),
        "run_id": str(facts.run_id),
        "run_number": str(facts.run_number),
        "secret_source": "Actions",
        "server_url": facts.server_url,
        "sha": facts.sha,
        "triggering_actor": facts.actor,
        "workflow": facts.workflow,
        "workflow_ref": f"{facts.repository}/{facts.workflow_file}@{facts.ref}",
        "workflow_sha": facts.sha,
    }


def ref_parts(ref: str) -> tuple[str, str]:
    """`refs/heads/main` → branch and main; `refs/tags/v1` → tag and v1."""
    if ref.startswith("refs/tags/"):
        return "tag", ref.removeprefix("refs/tags/")
    return "branch", ref.removeprefix("refs/heads/")


def in_job(github: Mapping[str, Any], *, job: str, layout: Layout, token: str) -> dict[str, Any]:
    """The github context as a job's steps see it."""
    own = {
        "job": job,
        "workspace": layout.workspace,
        "event_path": layout.event_path,
        "token": token,
    }
    return {**github, **own}


def runner_context(layout: Layout, machine: Platform) -> dict[str, str]:
    """The runner context of this machine."""
    return {
        "name": "tidegate",
        "os": "Linux",
        "arch": _ARCHITECTURES.get(machine.architecture, machine.architecture.upper()),
        "temp": layout.temp,
        "tool_cache": layout.tools,
        "environment": "self-hosted",
        "workspace": layout.inside(f"work/{layout.repository}"),
        "debug": "",
    }


def variables(github: Mapping[str, Any], runner: Mapping[str, str], layout: Layout, path: str) -> dict[str, str]:
    """What every program of a job finds in its environment, whatever the workflow says."""
    found = {"HOME": layout.home, "PATH": path, "LANG": "C.UTF-8", "USER": "runner", "GITHUB_ACTIONS": "true"}
    for name in _AS_VARIABLES:
        if (value := github.get(name)) is not None:
            found[f"GITHUB_{name.upper()}"] = str(value).lower() if isinstance(value, bool) else str(value)
    for name, value in runner.items():
        if value:
            found[f"RUNNER_{name.upper()}"] = value
    return found
