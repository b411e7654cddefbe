"""Builds an image natively: each platform's layers from the cache or made now, then one index over all of them.

Runs in the child process. Nothing of the image is ever run, and nothing of this machine gets into it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.build import copying
from tidegate.build.assemble import Built, assemble
from tidegate.build.bases import Bases, Foundation
from tidegate.build.bytecode import Compiler
from tidegate.build.context import Context, Kind, Node, contained, read_ignore
from tidegate.build.dockerfile import SIZE_LIMIT, InvalidDockerfile, Problem, Stage, parse_dockerfile
from tidegate.build.index_settings import IndexSettings
from tidegate.build.installing import install, prepare
from tidegate.build.layering import MTIME, Layers, Made
from tidegate.build.plan import Configure, Copy, Install, MakeDirectory, Plan, Step, base_name, choose_stage, plan
from tidegate.build.request import BuildRequest, check
from tidegate.build.store import BuildStore, key_of
from tidegate.build.tree import Tree
from tidegate.kinds.platform import Platform
from tidegate.oci.client import RegistryClient
from tidegate.oci.layers import Entry, directory
from tidegate.oci.unpack import LayerFile
from tidegate.oci.values import ContainerConfig

REQUIREMENTS_LIMIT = 1024 * 1024

Log = Callable[[str], None]


@dataclass(slots=True)
class Progress:
    """How far one platform's image is: its tree, the files of the context in it, and its layers so far."""

    platform: Platform
    foundation: Foundation
    tree: Tree
    files: dict[str, Node] = field(default_factory=dict)
    steps: list[tuple[Step, Made | None]] = field(default_factory=list)
    installed: list[LayerFile] = field(default_factory=list)


class Builder:
    """One build: what its platforms share, and how each is built.

    Raises InvalidDockerfile with every problem that is in the Dockerfile, InvalidInput or NotFound for the context.
    """

    def __init__(
        self,
        request: BuildRequest,
        store: BuildStore,
        client: RegistryClient,
        settings: IndexSettings,
        scratch: Path,
        log: Log,
    ):
        check(request)
        root = request.root or request.context
        folder = contained(request.context, root)
        path = contained(folder / request.dockerfile, root)
        self._request, self._store, self._settings, self._log, self._scratch = request, store, settings, log, scratch
        with path.open("rb") as file:
            shown = request.shown or path.relative_to(root.resolve()).as_posix()
            self._dockerfile = parse_dockerfile(file.read(SIZE_LIMIT + 1), shown)
        self._context = Context(folder, read_ignore(folder, path))
        self._snapshot = copying.Snapshot(self._context, scratch)
        self._compiler = Compiler()
        self._bases = Bases(store, client, request.bases, self._compiler, log)
        self._layers = Layers(store, scratch)

    async def build(self) -> list[Built]:
        """Every platform's image, side by side; the first one that fails ends the others."""
        stage = choose_stage(self._dockerfile, self._request.target)
        for warning in self._dockerfile.warnings:
            self._log(f"{self._dockerfile.file}:{warning.line}: {warning.message}")
        name = self._check(stage)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._image(stage, name, one)) for one in self._request.platforms]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._bases.aclose()
        return [task.result() for task in tasks]

    def _check(self, stage: Stage) -> str:
        """Find every problem before anything is fetched; gives what FROM names."""
        problems: list[Problem] = []
        name = ""
        try:
            name = base_name(self._dockerfile, stage, self._request.build_args)
        except ValueError as error:
            problems.append(Problem(stage.line, str(error)))
        if name.lower() in {one.name for one in self._dockerfile.stages if one.name and one is not stage}:
            problems.append(Problem(stage.line, f"FROM {name}, another stage, is not built natively yet"))
        elif not name and not problems:
            problems.append(Problem(stage.line, f"FROM {stage.base} names nothing; give its build argument a value"))
        if stage.platform is not None and stage.platform not in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
            problems.append(Problem(stage.line, f"FROM --platform={stage.platform} is not built natively yet"))
        for platform in self._request.platforms:
            problems += self._plan(stage, ContainerConfig(), platform).problems
        if problems:
            raise InvalidDockerfile(self._dockerfile.file, problems)
        return name

    def _plan(self, stage: Stage, base: ContainerConfig, platform: Platform) -> Plan:
        arguments = self._request.build_args
        return plan(self._dockerfile, stage, base, arguments, platform, Platform.of_machine())

    async def _image(self, stage: Stage, name: str, platform: Platform) -> Built:
        with self._at(stage.line):
            foundation = await self._bases.find(name, platform)
        if foundation.config.config.other.get("OnBuild"):
            problem = Problem(stage.line, f"{name} has ONBUILD instructions, which are not built natively yet")
            raise InvalidDockerfile(self._dockerfile.file, [problem])
        planned = self._plan(stage, foundation.config.config, platform)
        if planned.problems:
            raise InvalidDockerfile(self._dockerfile.file, planned.problems)
        for note in planned.notes:
            self._log(f"{platform}: {note}")
        progress = Progress(platform, foundation, foundation.facts.tree())
        for step in planned.steps:
            with self._at(step.line):
                made = await self._step(progress, step)
            progress.steps.append((step, made))
            if made is not None and made.descriptor is not None:
                verb = "unchanged" if made.reused else "built"
                self._log(f"{platform}: line {step.line}: {step.text} ({verb}, {made.descriptor.size / 1e6:.2f} MB)")
        built = assemble(self._request, self._store, foundation, planned, progress.steps, platform)
        self._log(f"{platform}: {built.descriptor.digest}")
        return built

    @contextlib.contextmanager
    def _at(self, line: int) -> Iterator[None]:
        """What a line asks for and can't have is a problem of that line."""
        try:
            yield
        except InvalidDockerfile:
            raise
        except (InvalidInput, NotFound) as error:
            raised = InvalidDockerfile(self._dockerfile.file, [Problem(line, str(error))])
            raised.remedy = error.remedy
            raise raised from error

    async def _step(self, progress: Progress, step: Step) -> Made | None:
        if isinstance(step, Configure):
            return None
        if isinstance(step, MakeDirectory):
            return await self._make_directory(progress, step)
        if isinstance(step, Copy):
            return await self._copy(progress, step)
        return await self._install(progress, step)

    async def _make_directory(self, progress: Progress, step: MakeDirectory) -> Made | None:
        missing = list(progress.tree.missing(progress.tree.resolve(step.path)))
        if not missing:
            return None
        try:
            uid, gid = progress.tree.owner(step.owner) if step.owner else (0, 0)
        except ValueError as error:
            raise InvalidInput(str(error)) from error
        entries = [Entry(one, directory(one).kind, 0o755, uid=uid, gid=gid) for one in missing]

        async def give() -> list[Entry]:
            return entries

        key = key_of({"directories": 1, "mtime": MTIME, "paths": missing, "owner": [uid, gid]})
        return await self._layers.get(key, give)

    async def _copy(self, progress: Progress, step: Copy) -> Made:
        def look() -> tuple[list[copying.Placed], str]:
            placed = copying.place(step, self._context, progress.tree)
            copying.refuse_archives(step, placed, self._context)
            return placed, copying.layer_key(placed, self._snapshot, MTIME)

        async def give() -> list[Entry]:
            return await asyncio.to_thread(lambda: list(copying.entries(placed, self._snapshot)))

        placed, key = await asyncio.to_thread(look)
        for one in placed:
            if one.node is not None and one.node.kind is Kind.FILE:
                progress.files[one.path] = one.node
            else:
                progress.files.pop(one.path, None)
        return await self._layers.get(key, give)

    async def _install(self, progress: Progress, step: Install) -> Made:
        def lookup(path: str) -> bytes | None:
            node = progress.files.get(progress.tree.resolve(path))
            return None if node is None else b"".join(self._context.read(node, REQUIREMENTS_LIMIT))

        wanted = prepare(step, progress.platform, progress.foundation, lookup, progress.installed)
        key = wanted.key(self._settings)
        scratch = self._scratch / f"install-{key}"

        async def give() -> list[Entry]:
            scratch.mkdir()
            self._log(f"{progress.platform}: line {step.line}: {step.text}")
            entries = await install(wanted, self._store, self._settings, progress.tree, scratch, self._log)
            if not wanted.compiles:
                self._log(f"{progress.platform}: this machine's Python is not the image's, so modules are not compiled")
                return entries
            folder = wanted.python.site_packages
            return entries + await asyncio.to_thread(lambda: list(self._compiler.entries(entries, folder)))

        made = await self._layers.get(key, give)
        made.tell(progress.tree)
        if made.descriptor is not None:
            progress.installed.append(LayerFile(self._store.blob_path(made.descriptor.digest), made.diff_id))
        return made
