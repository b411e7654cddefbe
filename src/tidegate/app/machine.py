"""One machine's Tidegate, from its home to its open doors."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from tidegate.app.announcing import Announcements
from tidegate.app.lanes import LANES
from tidegate.app.process import bound_memory, keep_what_is_there, stop_signals
from tidegate.app.push_lint import PushLint
from tidegate.base.errors import InvalidInput, MissingTool, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.home import Home, Server
from tidegate.build.spawn import build_image
from tidegate.deploy.controller import KustomizationController
from tidegate.engine.clock import SystemClock
from tidegate.engine.events import EventRecorder, sweep
from tidegate.engine.file_tags import FileTags
from tidegate.engine.logs import ControllerLogs
from tidegate.engine.manager import Manager
from tidegate.engine.metrics import Metrics
from tidegate.engine.outcome import Context, Controller
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.git.pinned import PinnedCommits
from tidegate.git.repository import Repository
from tidegate.kinds import strict
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.network.choices import AUTO
from tidegate.network.outside import Outside
from tidegate.notify.hooks import Hooks
from tidegate.notify.initialized import alerts, providers
from tidegate.notify.notifier import Notifier
from tidegate.notify.receivers import ReceiverController
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access
from tidegate.oci.facts_cache import FactsCache
from tidegate.oci.provenance import revision_of_image
from tidegate.runner.actions.action import Services
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.borrowing import Borrowing
from tidegate.runner.caches import Caches
from tidegate.runner.containers.engine import Podman
from tidegate.runner.controller import RunnerController
from tidegate.runner.feed import RunFeed
from tidegate.runner.local_jobs import LocalJobs
from tidegate.runner.logs import RunLogs
from tidegate.runner.repositories import FollowedRepositories, mirrored
from tidegate.runner.request_watch import RequestWatch
from tidegate.runner.runs import WorkflowRunController
from tidegate.runtime.local import LocalRuntime, LocalWorkloads
from tidegate.scan.controller import ImageRepositoryController
from tidegate.select.controller import ImagePolicyController
from tidegate.select.explainer import Explainer
from tidegate.serve.auth import Authorizer
from tidegate.serve.certificates import ensure_certificates
from tidegate.serve.doors import application
from tidegate.serve.following import Followed, Follower
from tidegate.serve.git import GitDoor
from tidegate.serve.git_repositories import HostedRepositories
from tidegate.serve.github.door import GitHubDoor, Parts
from tidegate.serve.hints import Hints
from tidegate.serve.hooks import HooksDoor, hooks_only
from tidegate.serve.kubernetes.definitions import store_definitions
from tidegate.serve.kubernetes.door import KubernetesDoor
from tidegate.serve.listen import LOOPBACK, Tls, bind, port_of, serve
from tidegate.serve.own_images import OwnImages
from tidegate.serve.page import Page
from tidegate.serve.pod_logs import Logs
from tidegate.serve.push_feed import PushFeed, Wiring
from tidegate.serve.registry import RegistryDoor
from tidegate.source.controller import GitRepositoryController
from tidegate.source.reading import read_source
from tidegate.source.trees import LocalTrees
from tidegate.update.controller import ImageUpdateAutomationController

POLL_ONLY_INTERVAL = 5.0
SWEEP_EVERY = 600.0
# A run that waits for its turn waits inside its reconciliation, so there must be a place for every one.
RUNS_AT_ONCE = 256
GIT_HOSTS = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
_log = logging.getLogger("tidegate")


@frozen
class Settings:
    """What `tidegate up` was told. `bases` maps a FROM to the base that replaces it; at `hook_address` hooks are
    answered too, and nothing else; `actions_from` is the Git host of Runners that name none for actions of other
    repositories.
    """

    home: Home
    port: int
    stand_ins: tuple[str, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)
    repo: str | None = None
    branch: str = "main"
    path: str | None = None
    poll_only: bool = False
    hook_address: tuple[str, int] | None = None
    actions_from: str = ""
    network: str = AUTO


async def up(settings: Settings, say: Callable[[str], None]) -> None:
    """Take the home, open the doors and run the controllers, until SIGTERM or SIGINT. `say` gets lines for people."""
    bound_memory()
    lock = settings.home.lock()
    try:
        listener = bind(settings.port)
        hooks = bind(settings.hook_address[1], settings.hook_address[0]) if settings.hook_address else None
        app = await App.assemble(settings, port_of(listener))
        await app.run(listener, say, hooks)
    finally:
        os.close(lock)


class App:
    """The parts of one machine's Tidegate. Make it with `assemble`."""

    def __init__(self, settings: Settings, port: int, store: SqliteStore, registry: RegistryClient):
        self.settings = settings
        self.home = settings.home
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"
        self.clock = SystemClock()
        self.store = store
        self.registry = registry
        self.authorizer = Authorizer(self.home.token())
        self.repositories = HostedRepositories(self.home.repositories, hosts=settings.stand_ins, port=port)
        self.controller_logs = ControllerLogs(self.home.logs)
        self.trees = LocalTrees(self.home.root / "trees.json")
        self.feed = RunFeed()
        self.metrics = Metrics()
        self.run_logs = RunLogs(self.home.runs / "logs", self.clock)
        self.artifacts = Artifacts(self.home.runs / "artifacts", self.clock)
        self.registries = (*settings.stand_ins, f"{LOOPBACK}:{port}")
        self.hints = Hints(store, self._hint, self.repositories.by_url, self.registries)
        blobs = BlobStore(self.home.registry)
        self.registry_door = RegistryDoor(blobs, self.authorizer, self.hints.tagged)
        self.hooks = Hooks(store, self.clock)
        self.images = OwnImages(blobs, self.registries, registry)
        self.outside = Outside(self.home.root, settings.network)
        self._manager: Manager | None = None

    @classmethod
    async def assemble(cls, settings: Settings, port: int) -> App:
        """The parts, with the store open and nothing running yet."""
        store = SqliteStore(settings.home.database, SystemClock())
        registry = RegistryClient(endpoints(settings, port))
        return cls(settings, port, store, registry)

    async def run(
        self, listener: socket.socket, say: Callable[[str], None], hooks: socket.socket | None = None
    ) -> None:
        """Run everything until a signal; then end the workloads, the doors and the store, in that order. `hooks` is a
        socket at which only hooks are answered.
        """
        await self.outside.sweep()
        await self.outside.require()
        runtime = await LocalRuntime.open(
            self.home.workloads,
            self.store,
            self.clock,
            self.registry,
            registry_for=lambda credentials: self.registry.using(Access(credentials)),
            outside=self.outside,
        )
        tags = FileTags(self.home.tags)
        facts = FactsCache(self.home.facts)
        policies = ImagePolicyController(tags, self.registry, facts)
        mirrors = Mirrors(self.home.mirrors)
        origins = Origins(mirrors, self.repositories.by_url, self.hints.pushed)
        updates = ImageUpdateAutomationController(origins, partial(revision_of_image, self.images))

        async def fetch(source: Object) -> Repository:
            return (await read_source(origins, self.store, source)).repository

        followed = FollowedRepositories(self._repository, mirrored(self.store, mirrors, fetch))
        own = await self._controllers(tags, mirrors, origins, followed, policies, updates)
        controllers = [*own, *runtime.controllers]
        names = sorted({controller.name for controller in controllers})
        self.controller_logs.start(names)
        self._manager = Manager(
            self.store,
            self.clock,
            controllers,
            events=not self.settings.poll_only,
            interval_cap=POLL_ONLY_INTERVAL if self.settings.poll_only else None,
            lanes=LANES,
            concurrency={"WorkflowRun": RUNS_AT_ONCE},
            metrics=self.metrics,
        )
        pushes = PushFeed(self._wiring())
        git = GitDoor(self.repositories, self.authorizer, pushes.lines)
        doors = self._doors(git, runtime, names, followed, policies, updates)
        stopped = stop_signals()
        await git.start()
        await pushes.recover()
        await self.store.sweep()
        await self._store_definitions()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(serve(doors, listener)),
                    group.create_task(self._manager.run()),
                    group.create_task(runtime.run()),
                    group.create_task(self._sweep()),
                    group.create_task(self.hooks.run()),
                    group.create_task(Notifier(self.store, self.clock).run()),
                ]
                if hooks is not None:
                    tasks.append(group.create_task(serve(hooks_only(self.hooks), hooks)))
                https = await self._open_https(say)
                if https is not None:
                    tasks.append(group.create_task(serve(doors, *https)))
                keep_what_is_there()
                if (follower := await self._follow(say)) is not None:
                    tasks.append(group.create_task(follower.run()))
                self._announce(https[0] if https else None, say)
                await stopped.wait()
                await runtime.close()
                for task in tasks:
                    task.cancel()
        finally:
            await self.outside.close()
            await git.stop()
            self.registry_door.close()
            await self.registry.aclose()
            self.controller_logs.stop(names)
            facts.close()
            self.store.close()

    async def _store_definitions(self) -> None:
        """Nothing here needs them, so a disk that is full keeps nobody from starting."""
        try:
            await store_definitions(self.store, version("tidegate"))
        except TidegateError as error:
            _log.warning("the definitions of the kinds are not stored now: %s", error)

    async def _controllers(
        self,
        tags: FileTags,
        mirrors: Mirrors,
        origins: Origins,
        followed: FollowedRepositories,
        policies: ImagePolicyController,
        updates: ImageUpdateAutomationController,
    ) -> list[Controller]:
        trees, watch = self.trees, RequestWatch(mirrors)
        borrowing = Borrowing(
            PinnedCommits(self.home.actions),
            self._repository,
            lambda url: self.repositories.by_url(url) is not None,
            self.settings.actions_from,
        )
        services = Services(
            repository=followed.open,
            build=build_image,
            cache=self.home.cache,
            bases=self.settings.bases,
            endpoints=endpoints(self.settings, self.port),
            server_url=self._server_url(),
            may_read=self._may_read,
            artifacts=self.artifacts,
            caches=Caches(self.home.runs / "caches", self.clock),
            pinned=borrowing.open,
        )
        containers = Podman(self.home.root / "containers")
        jobs = LocalJobs(
            self.home.runs / "jobs",
            services,
            self.clock,
            hidden=(self.home.root,),
            outside=self.outside,
            containers=containers,
        )
        await jobs.sweep()
        return [
            GitRepositoryController(origins, trees, Announcements().of_push),
            KustomizationController(trees, LocalWorkloads(self.store), strict.problems),
            ImageRepositoryController(self.images, tags, told=self.registries),
            policies,
            updates,
            ReceiverController(),
            alerts(),
            providers(),
            RunnerController(followed.find, self.feed, watch),
            WorkflowRunController(
                jobs=jobs,
                logs=self.run_logs,
                feed=self.feed,
                tokens=self.authorizer,
                repositories=followed.find,
                borrowing=borrowing,
                watch=watch,
                server_url=self._server_url(),
                artifacts=self.artifacts,
                lack=containers.lack,
            ),
        ]

    def _doors(
        self,
        git: GitDoor,
        runtime: LocalRuntime,
        names: list[str],
        followed: FollowedRepositories,
        policies: ImagePolicyController,
        updates: ImageUpdateAutomationController,
    ) -> Starlette:
        context = Context(self.store, self.clock, EventRecorder(self.store, self.clock, policies.name))
        explainer = Explainer(policies, context, self.registry)
        updating = Context(self.store, self.clock, EventRecorder(self.store, self.clock, updates.name))
        logs = Logs(self.store, runtime.logs, self.run_logs, self.feed)
        kubernetes = KubernetesDoor(
            self.store,
            self.authorizer,
            logs,
            clock=self.clock,
            version=version("tidegate"),
            controllers=names,
            controller_logs=self.controller_logs,
            explain=explainer.explain_as_json,
            preview=partial(updates.preview_as_json, ctx=updating),
        )
        github = GitHubDoor(
            Parts(
                self.store,
                self.authorizer,
                followed.open,
                self.run_logs,
                self.clock,
                version("tidegate"),
                artifacts=self.artifacts,
            )
        )
        page = Page(self.store, logs.of_run)
        routes: list[Sequence[BaseRoute]] = [
            git.routes(),
            self.registry_door.routes(),
            kubernetes.routes(),
            github.routes(),
            HooksDoor(self.hooks).routes(),
            page.routes(),
        ]
        return application(routes, lambda: self._manager is not None, self.metrics)

    async def _open_https(self, say: Callable[[str], None]) -> tuple[socket.socket, Tls] | None:
        """The same doors under TLS; only that port is missing where openssl is, or the port is taken."""
        try:
            made = await ensure_certificates(self.home.pki)
            listener = bind(0 if self.settings.port == 0 else self.settings.port + 1)
        except (MissingTool, Unavailable) as error:
            say(f"no https port, so kubectl can only read: {error.explain()}")
            return None
        return listener, Tls(made.server, made.server)

    def _announce(self, https: socket.socket | None, say: Callable[[str], None]) -> None:
        secure = f"https://{LOOPBACK}:{port_of(https)}" if https else None
        self.home.write_server(Server(os.getpid(), self.url, secure, self.settings.stand_ins))
        for host in self.settings.stand_ins:
            say(f"standing in for {host}: it is answered by this Tidegate, and nothing is sent there")
        for name, base in self.settings.bases.items():
            say(f"FROM {name} is built on {base}")
        say(f"Tidegate {version('tidegate')} at {self.url} (home {self.home.root})")

    async def _follow(self, say: Callable[[str], None]) -> Follower | None:
        """With --repo: the source and, where --path names one, the Kustomization that were asked for."""
        if self.settings.repo is None:
            return None
        followed = Followed(self.settings.repo, self.settings.branch, self.settings.path)
        follower = Follower(self.store, self.trees, self.clock, followed, say)
        await follower.begin()
        return follower

    def _wiring(self) -> Wiring:
        return Wiring(
            store=self.store,
            feed=self.feed,
            repositories=self.repositories,
            source_url=self._source_url,
            pushed=self.hints.pushed,
            lint=PushLint().problems,
            path=self.settings.path,
        )

    def _source_url(self, owner: str, name: str) -> str:
        """How manifests name a hosted repository."""
        server = self._server_url()
        return f"{server}/git/{owner}/{name}.git" if server == self.url else f"{server}/{owner}/{name}"

    def _server_url(self) -> str:
        """GitHub's `server_url`: the Git host that this Tidegate stands in for, else its own address."""
        return next((f"https://{host}" for host in self.settings.stand_ins if host in GIT_HOSTS), self.url)

    def _repository(self, name: str) -> Repository | None:
        owner, _, short = name.partition("/")
        try:
            return self.repositories.get(owner, short)
        except InvalidInput:
            return None

    def _may_read(self, token: str, name: str) -> bool:
        """Whether a token reads a repository that is hosted here."""
        credential = self.authorizer.identify(f"Bearer {token}")
        return credential is not None and credential.may(f"repo:{name}:read")

    def _hint(self, key: ObjectKey) -> None:
        if self._manager is not None:
            self._manager.hint(key)

    async def _sweep(self) -> None:
        while True:
            await self.clock.sleep(SWEEP_EVERY)
            try:
                await sweep(self.store, self.clock.now())
            except TidegateError as error:
                _log.warning("old events are left for now: %s", error)


def endpoints(settings: Settings, port: int) -> dict[str, Endpoint]:
    """Where registry hosts are really asked: those that this Tidegate stands in for, at its own door."""
    own = Endpoint(f"http://{LOOPBACK}:{port}")
    return {host: own for host in settings.stand_ins if host not in GIT_HOSTS}
