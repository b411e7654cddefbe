"""A cluster's Tidegate: the controllers on the Kubernetes API, one leader at a time, and the probes of its Pod."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from starlette.applications import Starlette

from tidegate.app.announcing import Announcements
from tidegate.app.cluster_hooks import answer_hooks
from tidegate.app.lanes import LANES
from tidegate.app.process import bound_memory, keep_what_is_there, stop_signals
from tidegate.base.frozen import frozen
from tidegate.deploy.cluster_targets import ClusterTargets
from tidegate.deploy.controller import KustomizationController
from tidegate.engine.clock import SystemClock
from tidegate.engine.file_tags import FileTags
from tidegate.engine.leader import Leadership
from tidegate.engine.logs import JsonLines
from tidegate.engine.manager import Manager
from tidegate.engine.metrics import Metrics
from tidegate.engine.outcome import Controller
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.controllers import lease_names
from tidegate.kinds.label_selector import parse_labels
from tidegate.kinds.objects import Object
from tidegate.kinds.receiver import KIND as RECEIVER_KIND
from tidegate.kinds.runner import KIND as RUNNER_KIND
from tidegate.kube.access import Connection
from tidegate.kube.client import KubeClient
from tidegate.kube.discovery import Discovery
from tidegate.kube.last_lines import PodLogs
from tidegate.kube.pacing import Limits
from tidegate.kube.store import KubeStore
from tidegate.kube.workloads import KubeWorkloads
from tidegate.notify.initialized import alerts, providers
from tidegate.notify.notifier import Notifier
from tidegate.notify.receivers import ReceiverController
from tidegate.oci.auth import Endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.facts_cache import FactsCache
from tidegate.oci.provenance import revision_of_image
from tidegate.scan.controller import ImageRepositoryController
from tidegate.select.controller import ImagePolicyController
from tidegate.serve.doors import probes
from tidegate.serve.listen import bind, serve
from tidegate.source.controller import GitRepositoryController
from tidegate.source.reading import read_source
from tidegate.source.trees import FetchedTrees, LocalTrees
from tidegate.update.controller import ImageUpdateAutomationController
from tidegate.update.pushing import TOGETHER

# Leases are renewed by requests of their own, which never wait behind the controllers' and are worthless when late.
ELECTION = Limits(qps=20.0, burst=20, attempts=1, timeout=5.0)

# A run that waits for its turn waits inside its reconciliation, so there must be a place for every one.
RUNS_AT_ONCE = 256
# Automations that wait for their branch push together, and while one group pushes the next one may gather.
UPDATES_AT_ONCE = 2 * TOGETHER


@frozen
class ClusterSettings:
    """What `tidegate controller` was told.

    `namespace` is where its Leases lie; `data` is the folder for mirrors and tags, which may be empty at every start.
    `selector` restricts it to objects with such labels. `adopt` is the moment up to which what others have written in a
    status becomes ours. `mirrors` says for a registry's host at which URL it is really asked, by jobs too. `job_image`
    is Tidegate's own image, of which runs become Jobs; without it no workflow runs here. At `hook_address` hooks are
    answered, where Receivers are among the kinds.
    """

    connection: Connection
    kinds: tuple[str, ...]
    namespace: str
    data: Path
    host: str
    port: int
    selector: str = ""
    elect: bool = True
    adopt: datetime | None = None
    job_image: str = ""
    bases: Mapping[str, str] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    hook_address: tuple[str, int] | None = None


async def control(settings: ClusterSettings, say: Callable[[str], None]) -> None:
    """Answer probes, become the leader and run the controllers, until SIGTERM or SIGINT. `say` gets lines for people.

    Raises LeadershipLost where another process may act by now: end then, and begin anew.
    """
    bound_memory()
    _log_to(sys.stdout)
    listener = bind(settings.port, settings.host)
    hooks = _bind_hooks(settings)
    stopped, clock, metrics = stop_signals(), SystemClock(), Metrics()
    async with KubeClient(settings.connection, clock=clock, limits=ELECTION) as electing:
        leadership = Leadership(
            KubeStore(electing),
            clock,
            namespace=settings.namespace,
            names=lease_names(settings.kinds, settings.selector) if settings.elect else (),
            identity=f"{socket.gethostname()}_{secrets.token_hex(8)}",
        )
        say(f"Tidegate {version('tidegate')} for {settings.connection.server}: {', '.join(settings.kinds)}")
        if RUNNER_KIND in settings.kinds and not settings.job_image:
            say("no workflow runs here, and Runners stay as they are: --job-image names Tidegate's own image")
        try:
            async with asyncio.TaskGroup() as group:
                doors = Starlette(routes=probes(lambda: True, metrics))
                tasks = [
                    group.create_task(serve(doors, listener)),
                    group.create_task(_lead(settings, clock, metrics, leadership)),
                ]
                if hooks is not None:
                    tasks.append(group.create_task(answer_hooks(settings.connection, clock, hooks)))
                await stopped.wait()
                for task in tasks:
                    task.cancel()
        finally:
            await leadership.release()


def _bind_hooks(settings: ClusterSettings) -> socket.socket | None:
    if settings.hook_address is None or RECEIVER_KIND not in settings.kinds:
        return None
    host, port = settings.hook_address
    return bind(port, host)


async def _lead(settings: ClusterSettings, clock: SystemClock, metrics: Metrics, leadership: Leadership) -> None:
    """Wait for the leadership, then run the controllers as long as it lasts."""
    await leadership.acquire()
    with contextlib.closing(FactsCache(settings.data / "facts.db")) as facts:
        client_of = partial(KubeClient, clock=clock, limits=settings.limits, guard=leadership.check)
        async with (
            client_of(settings.connection) as client,
            RegistryClient({host: Endpoint(url) for host, url in settings.mirrors.items()}) as registry,
            ClusterTargets(client, discovery := Discovery(client), client_of) as targets,
            asyncio.TaskGroup() as group,
        ):
            store = KubeStore(client, discovery=discovery, adopt_before=settings.adopt)
            workloads = KubeWorkloads(client, discovery=discovery)
            mirrors = Mirrors(settings.data / "mirrors")
            origins = Origins(mirrors, lambda _: None, _nothing_hosted)
            parts = _Parts(settings, client, store, workloads, targets, registry, facts, clock, mirrors, origins)
            manager = Manager(
                store,
                clock,
                [*parts.flux(), *await parts.runner()],
                lanes=LANES,
                concurrency={"WorkflowRun": RUNS_AT_ONCE, "ImageUpdateAutomation": UPDATES_AT_ONCE},
                metrics=metrics,
                selector=parse_labels(settings.selector),
            )
            keep_what_is_there()
            group.create_task(leadership.hold())
            group.create_task(manager.run())
            if RECEIVER_KIND in settings.kinds:
                group.create_task(Notifier(store, clock).run())


@frozen
class _Parts:
    """What the controllers of a cluster are made of."""

    settings: ClusterSettings
    client: KubeClient
    store: KubeStore
    workloads: KubeWorkloads
    targets: ClusterTargets
    registry: RegistryClient
    facts: FactsCache
    clock: SystemClock
    mirrors: Mirrors
    origins: Origins

    async def _fetch(self, source: Object) -> Repository:
        return (await read_source(self.origins, self.store, source)).repository

    def flux(self) -> list[Controller]:
        """The controllers of Flux's kinds that were chosen."""
        data = self.settings.data
        data.mkdir(parents=True, exist_ok=True)
        trees = FetchedTrees(LocalTrees(data / "trees.json"), self.origins, self.store)
        tags = FileTags(data / "tags")
        every: list[Controller] = [
            GitRepositoryController(self.origins, trees, Announcements().of_push),
            KustomizationController(trees, self.workloads, elsewhere=self.targets),
            ImageRepositoryController(self.registry, tags),
            ImagePolicyController(tags, self.registry, self.facts),
            ReceiverController(),
            alerts(),
            providers(),
            ImageUpdateAutomationController(
                self.origins, partial(revision_of_image, self.registry), PodLogs(self.client).last_lines
            ),
        ]
        return [controller for controller in every if controller.kind in self.settings.kinds]

    async def runner(self) -> list[Controller]:
        """The controllers of Runner and WorkflowRun, where they were chosen and there is an image for their Jobs."""
        if RUNNER_KIND not in self.settings.kinds or not self.settings.job_image:
            return []
        # 3 MiB that few clusters need.
        from tidegate.app.cluster_runs import runner_controllers  # noqa: PLC0415
        from tidegate.runner.job_manifest import JobPlace  # noqa: PLC0415
        from tidegate.runner.repositories import mirrored  # noqa: PLC0415

        return await runner_controllers(
            self.client,
            self.store,
            self.clock,
            JobPlace(self.settings.job_image, self.settings.bases, self.settings.mirrors),
            mirrored(self.store, self.mirrors, self._fetch),
            logs=self.settings.data / "runs",
            actions=self.settings.data / "actions",
            mirrors=self.mirrors,
            selector=parse_labels(self.settings.selector),
        )


async def _nothing_hosted(_repository: Path) -> None:
    """No repository is hosted here, so none moves by our hand."""


def _log_to(stream: TextIO) -> None:
    """JSON lines, as Flux's controllers write them."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("tidegate")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
