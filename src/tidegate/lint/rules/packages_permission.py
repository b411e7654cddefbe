"""A push to ghcr.io with the run's own token, which may not write packages."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.known import Known
from tidegate.workflow.model import Job, Table, Template, Workflow

RULE = Rule("packages-permission", "A push to ghcr.io without packages: write", "lint.md#packages-permission")
REGISTRY = "ghcr.io"


def check(known: Known) -> Iterator[Finding]:
    """An error where `permissions` leaves packages out; a warning where nothing is written, since then a repository's
    setting decides (Tidegate, and GitHub for new repositories, only let such a token read).
    """
    for file, workflow in known.repository.workflows.items():
        jobs = {build.job for build in known.builds.get(file, ()) if build.reference.startswith(f"{REGISTRY}/")}
        for job in workflow.jobs.values():
            if job.id in jobs and _uses_own_token(job):
                yield from _job(workflow, job)


def _job(workflow: Workflow, job: Job) -> Iterator[Finding]:
    permissions = job.permissions or workflow.permissions
    if permissions is None:
        message = f"the job {job.id} pushes to {REGISTRY} with the run's token, and does not ask to write packages"
        remedy = f"add to the job at {workflow.file}:{job.where.line}: permissions: {{contents: read, packages: write}}"
        yield Finding(RULE, Level.WARNING, job.where, message, remedy)
    elif permissions.scopes.get("packages", permissions.every) != "write":
        message = f"the job {job.id} pushes to {REGISTRY} with the run's token, which may not write packages"
        remedy = f"add packages: write below {workflow.file}:{permissions.where.line}"
        yield Finding(RULE, Level.ERROR, permissions.where, message, remedy)


def _uses_own_token(job: Job) -> bool:
    """Whether a login of the job takes GITHUB_TOKEN for its password."""
    for step in job.steps:
        if (step.uses or "").partition("@")[0].lower() != "docker/login-action" or not isinstance(step.inputs, Table):
            continue
        password = step.inputs.entries.get("password")
        if isinstance(password, Template) and any(
            word in password.source.lower() for word in ("secrets.github_token", "github.token")
        ):
            return True
    return False
