"""Builds an image natively: each stage's layers from the cache or made now, then one index over all platforms.

Runs in the child process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.build.assemble import Built, assemble
from tidegate.build.attesting.statements import Material
from tidegate.build.bases import Bases
from tidegate.build.bytecode import Compiler
from tidegate.build.contents import Contents
from tidegate.build.context import Context, contained, read_ignore
from tidegate.build.dockerfile import SIZE_LIMIT, Dockerfile, InvalidDockerfile, Problem, parse_dockerfile
from tidegate.build.executing import Sandbox, StageState, Tools, carry_out, unbuildable
from tidegate.build.index_settings import IndexSettings
from tidegate.build.layering import Layers, Others
from tidegate.build.plan import Plan, plan, preview
from tidegate.build.remote import Downloads
from tidegate.build.request import BuildRequest, check
from tidegate.build.stages import StageGraph, StageKey, StageNode, stage_graph
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.client import RegistryClient

Log = Callable[[str], None]
SandboxMaker = Callable[[Layers, Contents], Sandbox]


class Whole(Protocol):
    """Another program, which builds every line of a Dockerfile."""

    async def build(self, graph: StageGraph) -> list[Built]:
        """Every platform's image, all of it in the store."""


WholeMaker = Callable[[Dockerfile, str, Bases, Contents], Whole]


class Builder:
    """One build: what its stages share, and how each is built. Lines that must run are given to `sandbox`, if any;
    where there is a `whole`, all of them are built by that.

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
        sandbox: SandboxMaker | None = None,
        whole: WholeMaker | None = None,
        others: Others | None = None,
    ):
        check(request)
        root = request.root or request.context
        folder = contained(request.context, root)
        path = contained(folder / request.dockerfile, root)
        self._request, self._log = request, log
        with path.open("rb") as file:
            shown = request.shown or path.relative_to(root.resolve()).as_posix()
            text = file.read(SIZE_LIMIT + 1)
            self._dockerfile = parse_dockerfile(text, shown)
        context, compiler = Context(folder, read_ignore(folder, path)), Compiler()
        layers, contents = Layers(store, scratch, others), Contents(context, scratch)
        self._tools = Tools(
            store,
            layers,
            contents,
            Bases(store, client, request.bases, compiler, log),
            settings,
            compiler,
            Downloads(store.folder("downloads")),
            scratch,
            log,
            sandbox(layers, contents) if sandbox is not None else None,
        )
        self._whole = whole(self._dockerfile, text.decode(), self._tools.bases, contents) if whole is not None else None
        self._machine = Platform.of_machine()
        self._stages: dict[StageKey, asyncio.Task[StageState]] = {}

    async def build(self) -> list[Built]:
        """Every platform's image, side by side; the first stage that fails ends the others."""
        request = self._request
        graph = stage_graph(self._dockerfile, request.target, request.platforms, request.build_args, self._machine)
        for warning in self._dockerfile.warnings:
            self._log(f"{self._dockerfile.file}:{warning.line}: {warning.message}")
        self._check(graph)
        if self._whole is not None:
            return await self._whole.build(graph)
        try:
            async with asyncio.TaskGroup() as group:
                for key, node in graph.nodes.items():
                    self._stages[key] = group.create_task(self._stage(node))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._tools.bases.aclose()
            await self._tools.downloads.aclose()
        return [await asyncio.to_thread(self._assemble, platform, key) for platform, key in graph.results.items()]

    @property
    def used(self) -> frozenset[str]:
        """The keys of all layers that were asked for, once it is built."""
        return frozenset(self._tools.layers.used)

    @property
    def materials(self) -> list[Material]:
        """The images that were read, once it is built."""
        found = self._tools.bases.found.items()
        return [Material(one.name, one.digest, platform) for (_, platform), one in found if one.digest]

    def _check(self, graph: StageGraph) -> None:
        """Find every problem before anything is fetched."""
        plans = preview(self._dockerfile, graph, self._request.build_args, self._machine)
        problems = [problem for one in plans.values() for problem in one.problems]
        if self._tools.sandbox is None and self._whole is None:
            problems += [Problem(step.line, unbuildable(step)) for one in plans.values() for step in one.not_native]
        if problems:
            raise InvalidDockerfile(self._dockerfile.file, problems)

    async def _stage(self, node: StageNode) -> StageState:
        inputs = {number: await self._stages[key] for number, key in node.needs.items()}
        state = await self._begin(node, inputs)
        if state.plan.problems:
            raise InvalidDockerfile(self._dockerfile.file, state.plan.problems)
        for note in state.plan.notes:
            self._log(f"{state.platform}: {note}")
        for step in state.plan.steps:
            with self._at(step.line):
                await carry_out(step, state, self._tools)
            made = state.lines[-1][1]
            if made is not None and made.descriptor is not None:
                verb = "unchanged" if made.reused else "built"
                size = made.descriptor.size / 1e6
                self._log(f"{state.platform}: line {step.line}: {step.text} ({verb}, {size:.2f} MB)")
        return state

    async def _begin(self, node: StageNode, inputs: dict[int, StageState]) -> StageState:
        if node.base.stage is not None:
            below = inputs[node.base.stage]
            planned = self._plan(node, below.plan)
            return StageState(node, below.foundation, below.files.copy(), planned, inputs, list(below.lines))
        with self._at(node.stage.line):
            foundation = await self._tools.bases.find(node.base.image, node.key.platform)
        planned = self._plan(node, Plan((), foundation.config.config))
        return StageState(node, foundation, foundation.facts.filesystem(), planned, inputs)

    def _plan(self, node: StageNode, below: Plan) -> Plan:
        arguments = self._request.build_args
        return plan(self._dockerfile, node, below.config, arguments, self._machine, below.variables)

    def _assemble(self, platform: Platform, key: StageKey) -> Built:
        state = self._stages[key].result()
        built = assemble(self._request, self._tools.store, state.foundation, state.plan, state.lines, platform)
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
