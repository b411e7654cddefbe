"""GitHub's numbers for things that have names here: derived from the names, so that nothing is kept. Pure.

All are below 2^48, so that JSON readers which know only doubles keep them whole. A run's is its `github.run_id`.
"""

from __future__ import annotations

import base64
import hashlib


def repository_id(repository: str) -> int:
    """The number of `OWNER/NAME`; letter case does not matter."""
    return _number("repository", repository.lower())


def workflow_id(repository: str, path: str) -> int:
    """The number of a workflow, by its file's path."""
    return _number("workflow", repository.lower(), path)


def job_id(run: str, attempt: int, job: str) -> int:
    """The number of a job of one attempt of a run; both by their names."""
    return _number("job", run, str(attempt), job)


def user_id(login: str) -> int:
    """The number of a login."""
    return _number("user", login.lower())


def node_id(kind: str, number: int) -> str:
    """The name of a thing in GraphQL."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def _number(*parts: str) -> int:
    return int(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:12], 16)
