"""The controllers in a cluster: how soon a tag is in a Deployment, what idling costs, a hundred of everything at once.

The API server, etcd, registry and Git host take their part of the same cores. Each figure can be asked for alone.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.cluster_bench import Bench, bench
from benchmarks.cluster_pass import full_pass

FIGURES = ("tag", "policy", "many", "together", "idle", "pass")
SAMPLE = 1.0


def measure(arguments: Sequence[str] = ()) -> Iterator[str]:
    """The lines of the figures that were asked for, each as soon as it is known."""
    asked = options(arguments)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder, asyncio.Runner() as runner:
        lines = _figures(Path(folder), asked)
        while (line := runner.run(anext(lines, None))) is not None:
            yield line


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What is to be measured, and how large."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cluster", description=__doc__)
    parser.add_argument("--figures", default=",".join(FIGURES), help=f"of {','.join(FIGURES)}; all by default")
    parser.add_argument("--count", type=int, default=100, help="objects of each kind, and tags at once")
    parser.add_argument("--rounds", type=int, default=5, help="how often what takes less than a second is measured")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idling")
    parser.add_argument("--kustomizations", type=int, default=1000, help="of the full pass")
    parser.add_argument("--each", type=int, default=10, help="objects of each Kustomization of the full pass")
    parser.add_argument("--patience", type=float, default=600.0, help="seconds to wait for what is set up")
    asked = parser.parse_args(list(arguments))
    asked.figures = asked.figures.split(",")
    if unknown := set(asked.figures) - set(FIGURES):
        parser.error(f"no figure is named {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    return asked


async def _figures(folder: Path, asked: argparse.Namespace) -> AsyncIterator[str]:
    wanted = set(asked.figures)
    if wanted - {"pass"}:
        async with bench(folder / "one", asked.patience) as world:
            async for line in _of_images(world, wanted, asked):
                yield line
    if "pass" in wanted:
        async with bench(folder / "pass", asked.patience) as world:
            async for line in full_pass(world, asked.kustomizations, asked.each):
                yield line


async def _of_images(world: Bench, wanted: set[str], asked: argparse.Namespace) -> AsyncIterator[str]:
    names = [f"app-{number}" for number in range(asked.count)]
    await world.add(names[:1])
    await world.until_set(names[0], "1.0.0")
    if "tag" in wanted:
        yield await _tags(world, names[0], "1.0", asked.rounds, "one object", "goal 0.3 s, Flux 0.40-0.43 s")
    if "policy" in wanted:
        ready = [await world.new_policy(f"fresh-{number}") for number in range(asked.rounds)]
        yield _line("a new ImageRepository with its policy ready", _spread(ready), "goal 0.3 s, Flux 5.8 s")
    if not wanted & {"many", "together", "idle"}:
        return
    begun, before = asyncio.get_running_loop().time(), world.cpu()
    await world.add(names[1:])
    for name in names[1:]:
        await world.until_set(name, "1.0.0")
    taken = asyncio.get_running_loop().time() - begun
    yield _line(f"{asked.count} of each kind set up", f"{taken:.1f} s, {world.cpu() - before:.1f} s of CPU", "no goal")
    await world.quiet()
    if "many" in wanted:
        of_each = f"{asked.count} objects"
        yield await _tags(world, names[0], "1.1", asked.rounds, of_each, "goal 0.5 s, Flux 2.1 s")
    if "together" in wanted:
        before = world.cpu()
        together = await world.all_at_once(names, "2.0.0")
        figure = f"{together:.2f} s, {world.cpu() - before:.1f} s of CPU"
        yield _line(f"{asked.count} tags at once, to the last Deployment", figure, "goal 10 s, Flux 36-50 s")
    if "idle" in wanted:
        async for line in _idle(world, asked.idle):
            yield line


async def _tags(world: Bench, name: str, series: str, rounds: int, present: str, goal: str) -> str:
    before = world.cpu()
    seconds = [await world.new_tag(name, f"{series}.{number}") for number in range(1, rounds + 1)]
    cpu = (world.cpu() - before) / rounds
    figure = f"{_spread(seconds)}, {cpu:.2f} s of CPU"
    return _line(f"a new tag to the Deployment, {present} of each kind", figure, goal)


async def _idle(world: Bench, seconds: float) -> AsyncIterator[str]:
    await world.quiet()
    before, resident = world.cpu(), list[float]()
    for _ in range(max(1, round(seconds / SAMPLE))):
        await asyncio.sleep(SAMPLE)
        resident.append(world.resident())
    idle = 100 * (world.cpu() - before) / (len(resident) * SAMPLE)
    yield _line("idle, intervals of 10 m, children counted", f"{idle:.2f} % of a core", "goal 2 %")
    figure = f"{median(resident):.1f} MiB, at most {max(resident):.1f}"
    yield _line("resident while idle, children counted", figure, "goal 64 MiB, Flux 418")
    yield _line("resident at the peak, the process alone", f"{world.process.peak():.1f} MiB", "no goal")


def _line(what: str, figure: str, goal: str) -> str:
    return f"{what:<58} {figure}  ({goal})"


def _spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} s ({min(seconds):.2f}-{max(seconds):.2f})"
