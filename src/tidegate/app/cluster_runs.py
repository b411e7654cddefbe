"""Runs in a cluster: the controllers of Runner and WorkflowRun, whose jobs are Kubernetes Jobs. A module of its own,
since a cluster without Runners need not load what they are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidegate.engine.clock import Clock
from tidegate.engine.outcome import Controller
from tidegate.git.mirror import Mirrors
from tidegate.git.pinned import PinnedCommits
from tidegate.kinds.label_selector import LabelSelector
from tidegate.kube.client import KubeClient
from tidegate.kube.store import KubeStore
from tidegate.runner.borrowing import Borrowing
from tidegate.runner.containers.check import NoContainers
from tidegate.runner.controller import RunnerController
from tidegate.runner.feed import RunFeed
from tidegate.runner.job_manifest import JobPlace
from tidegate.runner.kube_jobs import KubeJobs
from tidegate.runner.logs import RunLogs
from tidegate.runner.repositories import Repositories
from tidegate.runner.request_watch import RequestWatch
from tidegate.runner.runs import WorkflowRunController

LACKING = (
    "actions/upload-artifact",
    "actions/download-artifact",
    "actions/cache",
    "actions/cache/restore",
    "actions/cache/save",
)
"""What a Pod can't do: nothing but the lines of its log leaves it."""
NO_CONTAINERS = NoContainers("a job of a cluster starts no containers yet", "run the steps in the runner's own image")


async def runner_controllers(
    client: KubeClient,
    store: KubeStore,
    clock: Clock,
    place: JobPlace,
    repositories: Repositories,
    *,
    logs: Path,
    actions: Path,
    mirrors: Mirrors,
    selector: LabelSelector,
) -> list[Controller]:
    """The controllers, once what a process that died has left under way is ended. `logs` is the folder of the runs'
    logs, `actions` that of what they take from other repositories; `selector` says which runs are this process's.
    """
    jobs, feed, watch = KubeJobs(client, store, clock, place), RunFeed(), RequestWatch(mirrors)
    await jobs.sweep(selector)
    return [
        RunnerController(repositories, feed, watch),
        WorkflowRunController(
            jobs=jobs,
            logs=RunLogs(logs, clock),
            feed=feed,
            tokens=NoTokens(),
            repositories=repositories,
            borrowing=Borrowing(PinnedCommits(actions), lambda _name: None),
            lacking=LACKING,
            watch=watch,
            lack=lambda: NO_CONTAINERS,
        ),
    ]


class NoTokens:
    """A run in a cluster gets no token of ours: there is no Git host and no registry here that would take it. What the
    Secret of its Runner holds as GITHUB_TOKEN is used instead.
    """

    def issue(self, _subject: str, _scopes: Sequence[str], _lifetime_s: float) -> str:
        """No token."""
        return ""

    def revoke(self, _token: str) -> None:
        """There is none."""
