"""Names and labels of WorkflowRuns. Pure: one push gives the same names again, so a repeat creates nothing twice."""

from __future__ import annotations

import hashlib
import re

from tidegate.kinds.objects import Object

REPOSITORY_LABEL = "tidegate.dev/repository"
WORKFLOW_LABEL = "tidegate.dev/workflow"
COMMIT_LABEL = "tidegate.dev/commit"
AUTHOR = "tidegate.dev/author"
PROBLEMS = "tidegate.dev/problems"
CANCEL = "tidegate.dev/cancel"
RERUN = "tidegate.dev/rerun"
ONLY_FAILED = "failed"
"""What the value of RERUN begins with where jobs that succeeded are not to run again."""
CHAIN = "tidegate.dev/chain"
"""The annotation that says how many runs a run follows, one after the other, by workflow_run."""
NAME_LIMIT = 180
_UNSAFE = re.compile(r"[^a-z0-9]+")
_UNSAFE_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")


def run_name(repository: str, workflow: str, ref: str, before: str, commit: str, sequence: int) -> str:
    """A run's name: `<owner>-<name>-<workflow>-<commit>-<hash>`.

    `sequence` counts how often the Runner has recorded refs: a ref that comes back to an old commit runs again.
    """
    stem = workflow.rpartition("/")[2].rpartition(".")[0]
    identity = "\0".join([repository, workflow, ref, before, commit, str(sequence)])
    tail = f"{commit[:8]}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}"
    return f"{slug(repository)}-{slug(stem)}"[: NAME_LIMIT - len(tail)].strip("-") + f"-{tail}"


def slug(text: str) -> str:
    """A text as a part of a Kubernetes name."""
    return _UNSAFE.sub("-", text.lower()).strip("-") or "x"


def label(text: str) -> str:
    """A text as the value of a label: at most 63 letters, digits, `_`, `.`, `-`."""
    return _UNSAFE_LABEL.sub(".", text).strip("-_.")[:63].strip("-_.")


def labels(repository: str, workflow: str, commit: str) -> dict[str, str]:
    """The labels by which runs are found."""
    return {
        REPOSITORY_LABEL: label(repository.replace("/", ".")),
        WORKFLOW_LABEL: label(workflow.rpartition("/")[2]),
        COMMIT_LABEL: commit[:63],
    }


def run_id(name: str) -> int:
    """`github.run_id`: a number that is the run's alone."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)


def of_repository(run: Object, repository: str) -> bool:
    """Whether a run is one of a repository's."""
    return str((run.get("spec") or {}).get("repository", "")).lower() == repository.lower()
