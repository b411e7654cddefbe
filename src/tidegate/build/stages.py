"""Which stages a build needs, for which platforms, and what each stands on. Pure: nothing is fetched.

Follows the Dockerfile reference: FROM and `--from` lead to earlier stages by name (`--from` also by number), else to
images; stages that nothing leads to are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.dockerfile import Dockerfile, Expander, Instruction, InvalidDockerfile, Problem, Stage
from tidegate.build.steps import Origin
from tidegate.kinds.platform import Platform

SCRATCH = "scratch"
TARGET_ARGUMENTS = ("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT")


@frozen
class StageKey:
    """One stage for one platform. `target` is the platform of the image that is wanted in the end: the same as
    `platform`, save in a stage of `FROM --platform=…` that asks for an ARG of the target's or reads what depends on it.
    So a stage that does not is the same key for every target, and is built once.
    """

    number: int
    platform: Platform
    target: Platform


@frozen
class StageNode:
    """A stage that is needed: what it stands on, and the other stages that it reads, by number."""

    key: StageKey
    stage: Stage
    base: Origin
    needs: Mapping[int, StageKey] = field(default_factory=dict, hash=False)


@frozen
class StageGraph:
    """The needed stages, each after those that it needs; `results` has each wanted platform's last one."""

    nodes: Mapping[StageKey, StageNode]
    results: Mapping[Platform, StageKey]


def stage_graph(
    dockerfile: Dockerfile,
    target: str | None,
    platforms: Sequence[Platform],
    build_args: Mapping[str, str],
    builder: Platform,
) -> StageGraph:
    """What is to be built for `platforms`. Raises InvalidDockerfile with all that is wrong, or InvalidInput."""
    number = dockerfile.stages.index(choose_stage(dockerfile, target))
    problems: list[Problem] = []
    nodes: dict[StageKey, StageNode] = {}
    results: dict[Platform, StageKey] = {}
    for platform in platforms:
        walk = _Walk(dockerfile, platform, builder, build_args, problems)
        results[platform] = walk.visit(number)
        nodes |= {node.key: node for node in walk.nodes.values()}
    if problems:
        raise InvalidDockerfile(dockerfile.file, problems)
    return StageGraph(nodes, results)


def choose_stage(dockerfile: Dockerfile, target: str | None) -> Stage:
    """The stage to build: the one of that name or number, else the last. Raises InvalidInput."""
    if target is None:
        return dockerfile.stages[-1]
    for number, stage in enumerate(dockerfile.stages):
        if target.lower() == stage.name or target == str(number):
            return stage
    named = ", ".join(stage.name for stage in dockerfile.stages if stage.name)
    raise InvalidInput(f"{dockerfile.file} has no stage {target!r}", remedy=f"it has: {named}" if named else None)


def global_arguments(dockerfile: Dockerfile, build_args: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The ARGs before the first FROM, as the build sets them; `known` are the platforms'. Raises ValueError."""
    values: dict[str, str] = {}
    for instruction in dockerfile.arguments:
        for word in instruction.arguments:
            name, equals, default = word.partition("=")
            if name in build_args:
                values[name] = build_args[name]
            elif equals:
                values[name] = Expander(dockerfile.escape, {**known, **values}).word(default)
            elif name in known:
                values[name] = known[name]
    return values


def platform_arguments(platform: Platform, builder: Platform) -> dict[str, str]:
    """The ARGs that BuildKit knows by itself; a stage has them where it says `ARG NAME`."""
    values: dict[str, str] = {}
    for prefix, one in (("TARGET", platform), ("BUILD", builder)):
        values |= {f"{prefix}PLATFORM": str(one), f"{prefix}OS": one.os, f"{prefix}ARCH": one.architecture}
        values[f"{prefix}VARIANT"] = one.variant
    return values


def origin_of(dockerfile: Dockerfile, text: str, before: int) -> Origin:
    """What `--from=text` means in the stage of number `before`. Raises ValueError for a stage that comes later."""
    for number, stage in enumerate(dockerfile.stages):
        if text.lower() == stage.name or (text == str(number)):
            if number >= before:
                raise ValueError(f"--from={text} leads to a stage that is not built before this one")
            return Origin(number)
    if text.isascii() and text.isdigit():
        raise ValueError(f"--from={text}: there is no stage of that number")
    return Origin(image=text)


def froms(instructions: Iterable[Instruction]) -> Iterator[tuple[int, str]]:
    """Each `--from` of COPY and ADD, and each `from` of a RUN's mounts, with its line."""
    for one in instructions:
        for flag in one.flags:
            name, _, value = flag.partition("=")
            if one.name in ("COPY", "ADD") and name == "--from":
                yield one.line, value
            elif one.name == "RUN" and name == "--mount":
                options = dict(part.partition("=")[::2] for part in value.split(","))
                if options.get("from"):
                    yield one.line, options["from"]


class _Walk:
    """Visits the stages that one wanted platform needs, deepest first, each once."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        target: Platform,
        builder: Platform,
        build_args: Mapping[str, str],
        problems: list[Problem],
    ):
        self._dockerfile, self._target, self._problems = dockerfile, target, problems
        self._variables = platform_arguments(target, builder)
        self.nodes: dict[int, StageNode] = {}
        try:
            self._variables |= global_arguments(dockerfile, build_args, self._variables)
        except ValueError as error:
            problems.append(Problem(dockerfile.arguments[0].line, str(error)))

    def visit(self, number: int) -> StageKey:
        if number in self.nodes:
            return self.nodes[number].key
        stage = self._dockerfile.stages[number]
        base = self._base(stage, number)
        origins = [base, *self._origins(stage, number)]
        wanted = sorted({origin.stage for origin in origins if origin.stage is not None})
        needs = {earlier: self.visit(earlier) for earlier in wanted}
        platform = self._platform(stage, self._target if base.stage is None else needs[base.stage].platform)
        depends = (
            _asks_for_target(self._dockerfile, stage)
            or any(key.target != key.platform or key.platform == self._target for key in needs.values())
            or any(origin.image not in ("", SCRATCH) for origin in origins[1:])
        )
        key = StageKey(number, platform, self._target if depends else platform)
        self.nodes[number] = StageNode(key, stage, base, needs)
        return key

    def _platform(self, stage: Stage, otherwise: Platform) -> Platform:
        if stage.platform is None:
            return otherwise
        try:
            return Platform.parse(self._expand(stage.platform))
        except (ValueError, InvalidInput) as error:
            self._problems.append(Problem(stage.line, f"FROM --platform={stage.platform}: {error}"))
            return otherwise

    def _base(self, stage: Stage, number: int) -> Origin:
        try:
            name = self._expand(stage.base)
        except ValueError as error:
            self._problems.append(Problem(stage.line, str(error)))
            return Origin(image=SCRATCH)
        if not name:
            message = f"FROM {stage.base} names nothing; give its build argument a value"
            self._problems.append(Problem(stage.line, message))
        for earlier in range(number - 1, -1, -1):
            if name and name.lower() == self._dockerfile.stages[earlier].name:
                return Origin(earlier)
        return Origin(image=name)

    def _origins(self, stage: Stage, number: int) -> Iterator[Origin]:
        for line, text in froms(stage.instructions):
            try:
                yield origin_of(self._dockerfile, text, number)
            except ValueError as error:
                self._problems.append(Problem(line, str(error)))

    def _expand(self, text: str) -> str:
        return Expander(self._dockerfile.escape, self._variables).word(text)


def _asks_for_target(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether an ARG of the stage may differ by the platform that is wanted in the end."""
    derived = {word.partition("=")[0] for one in dockerfile.arguments for word in one.arguments if "TARGET" in word}
    asked = {word.partition("=")[0] for one in stage.instructions if one.name == "ARG" for word in one.arguments}
    return bool(asked & {*TARGET_ARGUMENTS, *derived})
