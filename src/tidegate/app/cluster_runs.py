"""Runs in a cluster: the controllers of Runner and WorkflowRun, whose jobs are Kubernetes Jobs. A module of its own,
since a cluster without Runners need not load what they are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.engine.clock import Clock
from tidegate.engine.outcome import Controller
from tidegate.git.mirror import Mirrors
from tidegate.kinds.label_selector import LabelSelector
from tidegate.kube.client import KubeClient
from tidegate.kube.store import KubeStore
from tidegate.runner.controller import RunnerController
from tidegate.runner.feed import RunFeed
from tidegate.runner.job_manifest import JobPlace
from tidegate.runner.kube_jobs import KubeJobs
from tidegate.runner.logs import RunLogs
from tidegate.runner.repositories import Fetch, mirrored
from tidegate.runner.runs import WorkflowRunController


@dataclass(frozen=True, slots=True)
class RunPlace:
    """What runs need of the cluster: the image of their Jobs, what stands in for names in FROM and for registries'
    hosts, the folder of their logs, and which runs are this process's.
    """

    image: str
    bases: Mapping[str, str]
    mirrors: Mapping[str, str]
    logs: Path
    selector: LabelSelector


async def runner_controllers(
    client: KubeClient, store: KubeStore, clock: Clock, place: RunPlace, mirrors: Mirrors, fetch: Fetch
) -> list[Controller]:
    """The controllers, once what a process that died has left under way is ended."""
    jobs = KubeJobs(client, store, clock, JobPlace(place.image, place.bases, place.mirrors))
    await jobs.sweep(place.selector)
    repositories, feed = mirrored(store, mirrors, fetch), RunFeed()
    return [
        RunnerController(repositories, feed),
        WorkflowRunController(
            jobs=jobs, logs=RunLogs(place.logs, clock), feed=feed, tokens=NoTokens(), repositories=repositories
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
