"""Which builder takes each line of a Dockerfile, and why: what `--explain` prints. Pure; nothing is fetched or run."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.base.frozen import frozen
from tidegate.build.dockerfile import Dockerfile, InvalidDockerfile
from tidegate.build.plan import Plan
from tidegate.build.sandboxing.emulation import runs_natively
from tidegate.build.stages import StageGraph, StageKey
from tidegate.build.steps import Configure, NeedsShell
from tidegate.kinds.platform import Platform


@frozen
class Explained:
    """One line: who takes it (`native`, `mixed`, `buildah`, `nobody`, or `-` where nothing reads its stage)."""

    line: int
    text: str
    builder: str
    why: str


def explain(
    dockerfile: Dockerfile, graph: StageGraph, plans: Mapping[StageKey, Plan], machine: Platform, builder: str
) -> list[Explained]:
    """Every line after the first FROM, in order. Raises InvalidDockerfile with whatever is wrong."""
    if problems := {problem for plan in plans.values() for problem in plan.problems}:
        raise InvalidDockerfile(dockerfile.file, problems)
    rows = []
    for number, stage in enumerate(dockerfile.stages):
        keys = [key for key in graph.nodes if key.number == number]
        name = f"FROM {stage.base}" + (f" AS {stage.name}" if stage.name else "")
        if not keys:
            rows.append(Explained(stage.line, name, "-", "nothing that is built reads this stage"))
            continue
        platforms = ", ".join(dict.fromkeys(str(key.platform) for key in keys))
        once = ", once for all" if len(keys) == 1 and len(graph.results) > 1 else ""
        rows.append(Explained(stage.line, name, "buildah" if builder == "buildah" else "native", platforms + once))
        rows += [_line(keys, plans, at, machine, builder) for at in range(len(plans[keys[0]].steps))]
    return rows


def _line(keys: list[StageKey], plans: Mapping[StageKey, Plan], at: int, machine: Platform, builder: str) -> Explained:
    step = plans[keys[0]].steps[at]
    if builder == "buildah":
        return Explained(step.line, step.text, "buildah", "it builds all lines")
    running = [key for key in keys if len(plans[key].steps) > at and isinstance(plans[key].steps[at], NeedsShell)]
    if not running:
        return Explained(step.line, step.text, "native", "the configuration" if isinstance(step, Configure) else "")
    shown = plans[running[0]].steps[at]
    assert isinstance(shown, NeedsShell)
    why = shown.why.partition(";")[0]
    if builder == "native":
        return Explained(step.line, step.text, "nobody", f"{why}; --builder mixed runs it")
    foreign = [str(key.platform) for key in running if not runs_natively(key.platform, machine)]
    emulated = f"; emulated for {', '.join(dict.fromkeys(foreign))}" if foreign else ""
    return Explained(step.line, step.text, "mixed", f"{why}: it runs in a sandbox{emulated}")
