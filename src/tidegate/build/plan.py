"""From a stage's instructions to what is to be done: steps, each by its builder, and the configuration. Pure.

Every fault of a file is found in one pass. What the native builder can't do is no fault: it is a step of its own,
`NeedsShell`, with the command and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.build import settings_lines
from tidegate.build.copy_lines import copy
from tidegate.build.dockerfile import Dockerfile, Instruction, InvalidDockerfile, Problem, parse_dockerfile
from tidegate.build.run_lines import run
from tidegate.build.scope import Scope
from tidegate.build.stages import StageGraph, StageKey, StageNode, platform_arguments
from tidegate.build.steps import NeedsShell, Step
from tidegate.kinds.platform import Platform
from tidegate.oci.values import ContainerConfig


@frozen
class Plan:
    """What a stage comes to for one platform. With `problems` it must not be carried out.

    `variables` are the stage's build arguments at its end, which a stage upon it inherits.
    """

    steps: tuple[Step, ...]
    config: ContainerConfig
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def not_native(self) -> tuple[NeedsShell, ...]:
        """The lines that must truly run."""
        return tuple(step for step in self.steps if isinstance(step, NeedsShell))


def plan(
    dockerfile: Dockerfile,
    node: StageNode,
    base: ContainerConfig,
    build_args: Mapping[str, str],
    builder: Platform,
    inherited: Mapping[str, str] | None = None,
) -> Plan:
    """What a stage comes to on top of `base`; `inherited` are the build arguments of the stage that it stands on.

    Never raises: what is wrong is in `problems`.
    """
    known = platform_arguments(node.key.target, builder)
    scope = Scope(dockerfile, node, build_args, known, base, dict(inherited or {}))
    for instruction in _triggers(scope):
        _take(scope, instruction)
    for instruction in node.stage.instructions:
        _take(scope, instruction)
    return Plan(tuple(scope.steps), scope.finished(), tuple(scope.problems), tuple(scope.notes), dict(scope.variables))


def preview(
    dockerfile: Dockerfile, graph: StageGraph, build_args: Mapping[str, str], builder: Platform
) -> dict[StageKey, Plan]:
    """Every stage's plan without its base at hand: what its base sets (USER, SHELL, variables) is not known here."""
    plans: dict[StageKey, Plan] = {}
    for key, node in graph.nodes.items():
        below = Plan((), ContainerConfig()) if node.base.stage is None else plans[node.needs[node.base.stage]]
        plans[key] = plan(dockerfile, node, below.config, build_args, builder, below.variables)
    return plans


def _triggers(scope: Scope) -> list[Instruction]:
    """What the base's ONBUILDs ask for, before all else; the image that is built has them no more."""
    texts = scope.other.pop("OnBuild", None) or ()
    found: list[Instruction] = []
    for text in texts:
        where = f"ONBUILD {text}, of the base"
        try:
            (stage,) = parse_dockerfile(f"FROM x\n{text}\n".encode()).stages
        except (InvalidDockerfile, ValueError) as error:
            scope.problems.append(Problem(scope.node.stage.line, f"{where}: {error}"))
            continue
        for one in stage.instructions:
            if any(flag.startswith("--from=") for flag in one.flags):
                scope.problems.append(Problem(scope.node.stage.line, f"{where}: --from is not built there"))
            else:
                line = scope.node.stage.line
                found.append(Instruction(one.name, line, one.text, one.arguments, one.flags, one.is_json, one.heredocs))
    return found


_READERS: dict[str, Callable[[Scope, Instruction], None]] = {
    "ADD": copy,
    "ARG": settings_lines.arg,
    "CMD": settings_lines.cmd,
    "COPY": copy,
    "ENTRYPOINT": settings_lines.entrypoint,
    "ENV": settings_lines.env,
    "EXPOSE": settings_lines.expose,
    "HEALTHCHECK": settings_lines.healthcheck,
    "LABEL": settings_lines.label,
    "MAINTAINER": settings_lines.maintainer,
    "ONBUILD": settings_lines.onbuild,
    "RUN": run,
    "SHELL": settings_lines.shell,
    "STOPSIGNAL": settings_lines.stopsignal,
    "USER": settings_lines.user,
    "VOLUME": settings_lines.volume,
    "WORKDIR": settings_lines.workdir,
}


def _take(scope: Scope, one: Instruction) -> None:
    try:
        _READERS[one.name](scope, one)
    except ValueError as error:
        scope.fail(one, str(error))
