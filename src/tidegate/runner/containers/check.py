"""What keeps a workflow's containers from running here, each at its line, before anything runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.runner.containers.options import read_options
from tidegate.runner.containers.wanted import image_named, port, volume
from tidegate.workflow.model import Container, Job, Listing, Literal, Step, Template, Tree, Workflow
from tidegate.workflow.problems import Problem
from tidegate.workflow.source import Source

IMAGE = "docker://"


@frozen
class NoContainers:
    """Why this home runs no containers, and what to do about it."""

    why: str
    remedy: str


Lack = Callable[[], NoContainers | None]
"""Looks whether containers can run here. Called only where a workflow has one; it may take a moment."""


def container_problems(workflow: Workflow, lack: Lack | None = None) -> list[Problem]:
    """The problems of a workflow's containers, services, and steps from images."""
    say = (workflow.source or Source(b"", workflow.file)).problem
    found = [*_uses(workflow.jobs.values())]
    missing = lack() if found and lack is not None else None
    problems = [say(f"{what} can't run here: {missing.why}", where, missing.remedy) for what, where in found if missing]
    for job in workflow.jobs.values():
        problems += [say(error.message, error.where or job.where, error.remedy) for error in _wrong(job)]
    return problems


def image_steps(steps: Iterable[Step]) -> list[Step]:
    """The steps that run an image by its name."""
    return [step for step in steps if (step.uses or "").startswith(IMAGE)]


def _uses(jobs: Iterable[Job]) -> Iterator[tuple[str, Where]]:
    for job in jobs:
        if job.container is not None:
            yield "'container'", job.container.where
        if isinstance(job.services, Template):
            yield "'services'", job.services.where
        elif job.services:
            yield "'services'", next(iter(job.services.values())).where
        for step in image_steps(job.steps):
            yield "an action from an image", step.uses_where


def _wrong(job: Job) -> Iterator[InvalidInput]:
    containers = [job.container] if isinstance(job.container, Container) else []
    services = [] if isinstance(job.services, Template) else list(job.services.values())
    for one in containers:
        yield from _wrong_in(one, service=False)
    for one in services:
        yield from _wrong_in(one, service=True)
    for step in image_steps(job.steps):
        yield from _tried(image_named, Literal(step.uses, step.uses_where))


def _wrong_in(container: Container, *, service: bool) -> Iterator[InvalidInput]:
    if isinstance(container.image, Literal) and str(container.image.value or "").strip():
        yield from _tried(lambda text, where: image_named(text.strip(), where), container.image)
    if container.options is not None:
        yield from _tried(lambda text, where: read_options(text, where, service=service), container.options)
    for item in _items(container.ports):
        yield from _tried(port, item)
    for item in _items(container.volumes):
        yield from _tried(volume, item)


def _tried(read: Callable[[str, Where], object], value: Tree) -> Iterator[InvalidInput]:
    if not isinstance(value, Literal):
        return
    text = f"{value.value:g}" if isinstance(value.value, float) else str(value.value or "")
    try:
        read(text, value.where)
    except InvalidInput as error:
        yield error


def _items(tree: Tree) -> tuple[Tree, ...]:
    return tree.items if isinstance(tree, Listing) else ()
