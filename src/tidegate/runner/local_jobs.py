"""The Jobs port on one machine: each job in a folder, under a user and in namespaces of its own, gone when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tidegate.base.cgroups import Cgroups, Group
from tidegate.base.disk import DISK_FULL
from tidegate.base.errors import InvalidInput, LimitExceeded, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.masking import Masker
from tidegate.base.sandbox import Bind, Sandbox, UserRange
from tidegate.base.sandbox_probe import probe
from tidegate.engine.clock import Clock, rfc3339
from tidegate.engine.ports import JobEvents
from tidegate.kinds.platform import Platform
from tidegate.network.outside import Outside
from tidegate.network.resolvers import RESOLV_CONF
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login
from tidegate.runner import isolation as isolating
from tidegate.runner import limits
from tidegate.runner.actions.action import Services
from tidegate.runner.borrowed_actions import BorrowedActions
from tidegate.runner.containers.engine import Podman
from tidegate.runner.containers.wanted import in_container, needs_containers
from tidegate.runner.contexts import in_job, runner_context, variables
from tidegate.runner.evaluation import Evaluator
from tidegate.runner.fence import Fence, machine
from tidegate.runner.folder import JobFolder, give_away, remove
from tidegate.runner.hashing import hash_files
from tidegate.runner.isolation import Held, Isolation
from tidegate.runner.job import JobExecution
from tidegate.runner.layout import IN_CONTAINER, Layout
from tidegate.runner.logs import file_name
from tidegate.runner.pins import Pin
from tidegate.runner.place import Place, interpreter
from tidegate.runner.request import FAILURE, SUCCESS, JobOutcome, JobRequest, StoppedError
from tidegate.runner.workbench import Workbench
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.permissions import allows
from tidegate.workflow.resolve import Scope

SET_UP, COMPLETE = "Set up job", "Complete job"
INITIALIZE, STOP = "Initialize containers", "Stop containers"
FIRST_STEP = 2


@frozen
class _Open:
    """A job's place while it is open."""

    layout: Layout
    folder: JobFolder
    place: Place
    owner: int
    fence: Fence
    network: str
    users: UserRange | None


class LocalJobs:
    """Runs jobs below the folder `root`; `hidden` are paths that no job may see (the home). Where something else holds
    jobs to their limits, `limited_by` is its name. Without `outside` no job reaches anything outside of its namespaces;
    without `containers` a job that needs one fails.
    """

    def __init__(
        self,
        root: Path,
        services: Services,
        clock: Clock,
        *,
        hidden: tuple[Path, ...] = (),
        limited_by: str = "",
        outside: Outside | None = None,
        containers: Podman | None = None,
    ):
        self._root = root
        self._limited_by = limited_by
        self._cgroups: Cgroups | None = None
        self._services = services
        self._clock = clock
        self._hidden = hidden
        self._outside = outside
        self._containers = containers
        self._slots: set[int] = set()

    async def sweep(self) -> None:
        """Delete what jobs of a process that died have left. Call it before the first job."""
        if self._containers is not None:
            await self._containers.sweep()
        await asyncio.to_thread(remove, self._root)
        await asyncio.to_thread(self._groups().sweep)
        for shelf in (self._services.artifacts, self._services.caches):
            if shelf is not None:
                await asyncio.to_thread(shelf.sweep)

    async def run(self, job: Mapping[str, Any], events: JobEvents) -> Mapping[str, Any]:
        """Run a job to its end. Cancelling the task that awaits this ends all its processes at once.

        A job that cannot be isolated or set up fails with the reason in its log; nothing is raised for it.
        """
        request = JobRequest.from_json(job)
        workflow = await asyncio.to_thread(parse_workflow, request.workflow.encode(), request.file)
        masker = Masker((*request.secrets.values(),))
        reporter = _Steps(events, self._clock)
        await reporter.begin(1, SET_UP)
        try:
            planned = workflow.jobs[request.job]
            contained = await asyncio.to_thread(in_container, planned, Scope(request.contexts), request.image)
            async with self._opened(request, contained) as opened:
                outcome = await self._execute(request, workflow, masker, events, reporter, opened)
        except TidegateError as error:
            await events.log(reporter.number, masker.mask(f"##[error]{error}"))
            if error.remedy:
                await events.log(reporter.number, masker.mask(error.remedy))
            conclusion = error.conclusion if isinstance(error, StoppedError) else FAILURE
            await reporter.end(conclusion)
            outcome = JobOutcome(conclusion, message=masker.mask(error.explain()))
        return outcome.as_json()

    async def _execute(
        self,
        request: JobRequest,
        workflow: Workflow,
        masker: Masker,
        events: JobEvents,
        reporter: _Steps,
        opened: _Open,
    ) -> JobOutcome:
        layout, token = opened.layout, request.secrets.get("GITHUB_TOKEN", "")
        github = in_job(request.contexts["github"], job=request.job, layout=layout, token=token)
        runner = runner_context(layout, Platform.of_machine())
        bench = Workbench(
            request=request,
            layout=layout,
            folder=opened.folder,
            place=opened.place,
            masker=masker,
            report=events,
            clock=self._clock,
            github=github,
            variables=variables(github, runner, layout, f"{isolating.SYSTEM_PATH}:{layout.programs}"),
            owner=opened.owner,
            limits_said=opened.fence.said,
        )
        bench.at_step("1")
        await bench.say(*_introduction(request, self._limits_told(request, opened.fence), opened.network))
        pins = {pin.key: pin for pin in map(Pin.from_json, request.pins)}
        elsewhere = BorrowedActions(bench, self._services.pinned, pins)
        await elsewhere.prepare(workflow.jobs[request.job].steps)
        await reporter.end(SUCCESS)
        contexts = {**request.contexts, "github": github, "runner": runner, "secrets": dict(request.secrets)}
        functions = {"hashfiles": hash_files(opened.folder, layout, self._clock)}
        evaluator = Evaluator(workflow, workflow.jobs[request.job], Scope(contexts, functions))
        async with self._contained(evaluator, bench, events, reporter, opened) as (evaluator, first):
            execution = JobExecution(evaluator, bench, self._services, events, elsewhere)
            outcome = await execution.run(first_number=first)
            if opened.place.ended_because:
                outcome = replace(outcome, conclusion=FAILURE, message=opened.place.ended_because)
            last = execution.last_number + 1
            if first > FIRST_STEP:
                await reporter.begin(last, STOP)
                bench.at_step(str(last))
                last += 1
        await reporter.end(SUCCESS)
        await reporter.begin(last, COMPLETE)
        bench.at_step(str(last))
        await bench.say("What is left of the job's processes is ended now, and its workspace deleted.")
        await reporter.end(SUCCESS)
        return outcome

    @asynccontextmanager
    async def _contained(
        self, evaluator: Evaluator, bench: Workbench, events: JobEvents, reporter: _Steps, opened: _Open
    ) -> AsyncIterator[tuple[Evaluator, int]]:
        """The job's containers while the block lasts; what its expressions are then, and its first step's number."""
        wants = needs_containers(evaluator.job, bench.request.image)
        if self._containers is None or opened.users is None:
            if wants:
                raise InvalidInput(
                    "containers need jobs in namespaces of their own, with a range of users",
                    remedy="leave spec.isolation of the Runner out, and run Tidegate as root",
                )
            yield evaluator, FIRST_STEP
            return
        from tidegate.runner.containers.opening import begun  # noqa: PLC0415 - few jobs have one
        from tidegate.runner.containers.room import ContainerRoom, Ground  # noqa: PLC0415

        bounds = opened.fence.bounds
        ground = Ground(
            opened.place, opened.users, bench.layout.staging, self._sources(bench), bounds.memory, bounds.pids
        )
        room = ContainerRoom(self._containers, bench, ground)
        bench.images = room
        async with self._containers.holding(), aclosing(room):
            if wants:
                await reporter.begin(FIRST_STEP, INITIALIZE)
                bench.at_step(str(FIRST_STEP))
                request = bench.request
                evaluator = await begun(room, evaluator, request.image, events, request.timeout_minutes)
                await reporter.end(SUCCESS)
            yield evaluator, FIRST_STEP + (1 if wants else 0)

    def _sources(self, bench: Workbench) -> dict[str, Endpoint]:
        """Where registries are asked: this home's own with the run's token, if it reads packages, others as they are
        mirrored.
        """
        allowed = allows(bench.request.permissions, "packages", "read")
        login = Login("runner", str(bench.github.get("token", ""))) if allowed else None
        own = {host: replace(endpoint, login=login) for host, endpoint in self._services.endpoints.items()}
        return {host: Endpoint(url) for host, url in self._services.mirrors.items()} | own

    @asynccontextmanager
    async def _opened(self, request: JobRequest, contained: bool) -> AsyncIterator[_Open]:
        kind = "none" if request.isolation == "none" else "sandbox"
        isolation = Isolation(kind, await probe(), self._hidden)
        isolating.check(isolation)
        outside, way = await self._way(request, isolation)
        slot = self._take_slot()
        root = self._root / f"{file_name(request.run)}-{request.attempt}-{file_name(request.name)}"
        try:
            async with self._fenced(request, root, slot) as (fence, held):
                names = await outside.resolv_conf() if outside else None
                layout, spec = await asyncio.to_thread(_prepare, root, request, isolation, slot, held, names, contained)
                owner = isolating.owner(isolation, spec)
                mapped = not isolation.on_host and isolation.capabilities.user_ranges and isolation.capabilities.network
                users = spec.users if mapped else None
                with JobFolder(layout.outside, owner) as folder:
                    place = await Place.open(partial(isolating.start, isolation, spec), outside)
                    try:
                        if isolation.on_host:
                            await asyncio.to_thread(_hold_on_host, place.pid, fence, held)
                        async with self._watched(fence, place):
                            yield _Open(layout, folder, place, owner, fence, way, users)
                    finally:
                        await place.close()
        finally:
            self._slots.discard(slot)
            await asyncio.to_thread(remove, root)

    @asynccontextmanager
    async def _fenced(self, request: JobRequest, root: Path, slot: int) -> AsyncIterator[tuple[Fence, Held]]:
        """A job's limits, from before it begins until nothing of it is left."""
        fence, held = await asyncio.to_thread(self._fence, request, root, slot)
        try:
            yield fence, held
        finally:
            await asyncio.to_thread(fence.group.remove)

    def _fence(self, request: JobRequest, root: Path, slot: int) -> tuple[Fence, Held]:
        self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
        here = machine(self._root)
        allowed = limits.bounds(request.limits, here)
        if self._limited_by:
            return Fence(allowed, Group(), root), Held({"core": 0})
        if here.disk_free < allowed.floor:
            raise Unavailable(limits.floor_reached(allowed), code=DISK_FULL)
        group = self._groups().make(f"{slot}-{id(self):x}", allowed.group)
        nice = 0 if group.holds("cpu") else limits.NICE
        return Fence(allowed, group, root), Held(limits.of_processes(allowed, group, here), group.entries, nice)

    def _watched(self, fence: Fence, place: Place) -> AbstractAsyncContextManager[None]:
        return contextlib.nullcontext() if self._limited_by else fence.watching(place.pid, place.end)

    def _limits_told(self, request: JobRequest, fence: Fence) -> list[str]:
        if self._limited_by:
            return [f"Limits: those of {self._limited_by}, {request.timeout_minutes:g} minutes"]
        return limits.introduction(fence.bounds, fence.group, request.timeout_minutes)

    def _groups(self) -> Cgroups:
        if self._cgroups is None:
            self._cgroups = Cgroups()
        return self._cgroups

    async def _way(self, request: JobRequest, isolation: Isolation) -> tuple[Outside | None, str]:
        """Who gives the job its network, and in words for its log what it reaches."""
        if isolation.on_host or not isolation.capabilities.network:
            return None, "the machine's own"
        if request.network == "none":
            return None, "nothing outside: spec.network of the Runner is none"
        if self._outside is None:
            return None, "nothing outside"
        way = await self._outside.way()
        return (self._outside if way.leads_out else None), way.explain()

    def _take_slot(self) -> int:
        slot = next((number for number in range(isolating.SLOTS) if number not in self._slots), None)
        if slot is None:
            raise LimitExceeded(f"more than {isolating.SLOTS} jobs run at once")
        self._slots.add(slot)
        return slot


class _Steps:
    """Shows the steps that are the runner's own."""

    def __init__(self, events: JobEvents, clock: Clock):
        self._events = events
        self._clock = clock
        self._shown: dict[str, Any] = {}

    @property
    def number(self) -> str:
        """The step that is shown, the first at first."""
        return str(self._shown.get("number", 1))

    async def begin(self, number: int, name: str) -> None:
        started = rfc3339(self._clock.now())
        self._shown = {"id": f"__{name}", "number": number, "name": name, "startedAt": started}
        await self._events.step(self._shown | {"status": "in_progress"})

    async def end(self, conclusion: str) -> None:
        if not self._shown:
            return
        ended = {"status": "completed", "conclusion": conclusion, "completedAt": rfc3339(self._clock.now())}
        await self._events.step(self._shown | ended)
        self._shown = {}


def _hold_on_host(pid: int, fence: Fence, held: Held) -> None:
    """Put a place that no sandbox is around under its limits, before it has started anything."""
    fence.group.add(pid)
    os.setpriority(os.PRIO_PROCESS, pid, held.nice)


def _introduction(request: JobRequest, limits_told: list[str], network: str) -> list[str]:
    """The lines with which a job's log begins."""
    kept_apart = "none: the job runs as Tidegate's own user" if request.isolation == "none" else "user and namespaces"
    granted = [f"{scope}: {level}" for scope, level in sorted(request.permissions.items())] or ["none"]
    return [
        f"Job: {request.name} ({request.file}, attempt {request.attempt})",
        f"Machine: {Platform.of_machine()}",
        f"Isolation: {kept_apart}",
        f"Network: {network}",
        *limits_told,
        "##[group]GITHUB_TOKEN Permissions",
        *granted,
        "##[endgroup]",
    ]


def _prepare(
    root: Path,
    request: JobRequest,
    isolation: Isolation,
    slot: int,
    held: Held,
    names: str | None,
    contained: bool,
) -> tuple[Layout, Sandbox]:
    """Make a job's folders, its user's entries, and the files that it finds; `names` is its resolv.conf, `contained`
    whether its steps run in containers.
    """
    remove(root)
    repository = str(request.contexts["github"]["repository"]).rpartition("/")[2]
    outside, tmp, staging = (root / name for name in ("home", "tmp", "staging"))
    for folder in (outside, tmp, staging):
        folder.mkdir(mode=0o755, parents=True)
    layout = Layout(outside, tmp, staging, isolating.job_home(isolation, outside), repository)
    if contained and not isolation.on_host:
        layout = replace(layout, home="/github/home", mounts=IN_CONTAINER)
    spec = isolating.sandbox(isolation, layout, slot, _files(root, names), held)
    owner = isolating.owner(isolation, spec)
    for folder in (outside, tmp):
        give_away(folder, owner)
    tmp.chmod(0o1777)
    with JobFolder(outside, owner) as folder_of_job:
        for path in (layout.workspace, layout.temp, layout.tools, *(place for _, place in layout.mounts)):
            folder_of_job.make_folder(layout.relative(path))
        # For systems that have no `python` or no Python at all; a system's own comes first in PATH.
        for name in ("python", "python3"):
            folder_of_job.link(layout.relative(f"{layout.programs}/{name}"), str(interpreter()))
        event = json.dumps(request.contexts["github"].get("event", {}), indent=2).encode()
        folder_of_job.write(layout.relative(layout.event_path), event)
    binds = (Bind(outside / part, place) for part, place in layout.mounts)
    return layout, replace(spec, binds=(*spec.binds, *binds))


def _files(root: Path, names: str | None) -> dict[str, Path]:
    """Files that stand for the system's: its accounts, with the job's user in them, and its name servers."""
    texts = {}
    for target, make in (("/etc/passwd", isolating.passwd), ("/etc/group", isolating.group)):
        if Path(target).is_file():
            texts[target] = make(Path(target).read_text("utf-8", "replace"))
    if names is not None and os.path.lexists(RESOLV_CONF):
        texts[str(RESOLV_CONF)] = names
    files = {}
    for target, text in texts.items():
        files[target] = path = root / Path(target).name
        path.write_text(text)
        path.chmod(0o644)
    return files
