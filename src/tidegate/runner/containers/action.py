"""Steps that run an image: one named by the step, one that an action names, one made of an action's Dockerfile."""

from __future__ import annotations

import asyncio
import json
import posixpath
import secrets
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.base.errors import InvalidInput, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.values import Manifest
from tidegate.runner.actions.action import Call, Services
from tidegate.runner.containers.check import IMAGE
from tidegate.runner.containers.podman import Image, Mount
from tidegate.runner.containers.wanted import Wanted, image_named
from tidegate.runner.evaluation import ActionEvaluator
from tidegate.runner.folder import remove
from tidegate.runner.layout import COMMANDS, EVENT, TEMP, Layout
from tidegate.runner.node import inputs_as_variables
from tidegate.runner.place import Lines, Program
from tidegate.runner.workbench import SYSTEM_FALLBACK, Images, Workbench
from tidegate.workflow.action_file import ALWAYS, ActionImage
from tidegate.workflow.model import Condition, Step
from tidegate.workflow.resolve import table_value, value_of

WORKSPACE = "/github/workspace"
# The job's whole folder, which no job can exchange for another; GitHub's paths are links into it, so that what a job
# has put in their place leads nowhere but into the container itself.
_JOB = ".job"
_HOME = "work/_temp/_github_home"
Run = Callable[[Program, Lines], Awaitable[int]]


@frozen
class ImageAction:
    """A program of an image, ready to run. `post` is its entrypoint when all steps are over, empty for none."""

    run: Run
    argv: tuple[str, ...]
    env: Mapping[str, str]
    post: str = ""
    post_condition: Condition = ALWAYS

    def main(self, own: Mapping[str, str]) -> Program:
        """What the step runs."""
        return Program(self.argv, {**self.env, **own}, WORKSPACE)

    def afterwards(self, own: Mapping[str, str]) -> Program:
        """What it runs when all steps are over."""
        return Program((self.post,), {**self.env, **own}, WORKSPACE)


class ImageActions:
    """Makes image actions of a job's steps."""

    def __init__(self, bench: Workbench, services: Services):
        if bench.images is None:
            raise Unavailable(
                "actions from images can't run here: the job has no namespaces of its own",
                remedy="leave spec.isolation of the Runner out",
            )
        self._bench = bench
        self._services = services
        self._images: Images = bench.images

    async def of_step(self, step: Step, env: Mapping[str, str], given: Mapping[str, str]) -> ImageAction:
        """A step's `docker://IMAGE`, with the inputs that it gives. Raises what keeps it from running."""
        named = image_named(step.uses or "", step.uses_where)
        image = await self._images.image(Wanted("", named, where=step.uses_where))
        arguments = _split(given.get("args", ""), step)
        argv = _argv(image, given.get("entrypoint", "").strip(), arguments or None, step)
        return self._made(image, argv, {**env, **inputs_as_variables(given)})

    async def of_action(
        self,
        said: ActionImage,
        step: Step,
        path: str,
        evaluator: ActionEvaluator,
        env: Mapping[str, str],
        inputs: Mapping[str, str],
    ) -> ImageAction:
        """An action of the workspace, whose folder is `path` as the job sees it. Raises what keeps it from running."""
        if said.pre:
            await self._bench.say(
                "##[warning]The action's 'pre-entrypoint' is not run: an action of the workspace is not there yet then."
            )
        scope = evaluator.base.having(env=dict(env))
        own = await asyncio.to_thread(table_value, said.env, scope)
        arguments = None
        if said.args is not None:
            arguments = tuple(str(one) for one in await asyncio.to_thread(value_of, said.args, scope))
        elif inputs.get("args"):
            arguments = _split(inputs["args"], step)
        image = await self._image(said, step, path)
        argv = _argv(image, said.entrypoint or inputs.get("entrypoint", "").strip(), arguments, step)
        made = self._made(image, argv, {**env, **inputs_as_variables(inputs), **own})
        return replace(made, post=said.post, post_condition=said.post_condition)

    async def _image(self, said: ActionImage, step: Step, path: str) -> Image:
        if said.image.startswith(IMAGE):
            return await self._images.image(Wanted("", image_named(said.image, said.where), where=said.where))
        from tidegate.runner.actions.build_push import build_here  # noqa: PLC0415 - few actions are built

        machine = Platform.of_machine()
        call = Call({"platforms": str(machine)}, self._bench, self._services, step.uses_where)
        try:
            result = await build_here(call, path, posixpath.join(path, said.image))
        except TidegateError as error:
            error.where = error.where or said.where
            raise
        layout = self._bench.layout.staging / f"image-{secrets.token_hex(8)}"
        try:
            await asyncio.to_thread(_lay_out, BuildStore(self._services.cache), result.manifests[str(machine)], layout)
            return await self._images.built(layout)
        finally:
            await asyncio.to_thread(remove, layout)

    def _made(self, image: Image, argv: tuple[str, ...], env: Mapping[str, str]) -> ImageAction:
        bench, images = self._bench, self._images

        async def run(program: Program, lines: Lines) -> int:
            for part in (_HOME, EVENT, COMMANDS):
                await asyncio.to_thread(bench.folder.make_folder, part)
            mounts = await asyncio.to_thread(_mounts, bench.layout)
            found = {"PATH": SYSTEM_FALLBACK, **image.env, **_of_job(bench), **program.env}
            env = {name: _moved(value, bench.layout) for name, value in found.items()} | {"HOME": "/github/home"}
            return await images.run_image(image, replace(program, env=env), mounts, lines)

        return ImageAction(run, argv, env)


def _argv(image: Image, entrypoint: str, arguments: tuple[str, ...] | None, step: Step) -> tuple[str, ...]:
    """The program: as docker puts entrypoint and arguments together, where one of them is given anew."""
    first = (entrypoint,) if entrypoint else image.entrypoint
    rest = arguments if arguments is not None else () if entrypoint else image.command
    if not first and not rest:
        raise InvalidInput(
            "the image says no program to run", where=step.uses_where, remedy="give it under 'with.args'"
        )
    return (*first, *rest)


def _split(text: str, step: Step) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidInput(f"'args' can't be read: {error}", where=step.uses_where) from None


def _of_job(bench: Workbench) -> dict[str, str]:
    """What every step finds, but for what is the image's own."""
    own = bench.environment()
    return {name: value for name, value in own.items() if name not in ("PATH", "HOME", "USER", "LANG")}


def _places(layout: Layout) -> list[tuple[str, str]]:
    """GitHub's names for parts of the job's folder in such a container; the first that fits a path counts."""
    workspace = layout.relative(layout.workspace)
    return [
        (COMMANDS, "/github/file_commands"),
        (EVENT, "/github/workflow"),
        (_HOME, "/github/home"),
        (TEMP, "/github/runner_temp"),
        (workspace, WORKSPACE),
    ]


def _moved(value: str, layout: Layout) -> str:
    """A variable that is a path of the job's, as the container sees it."""
    if not value.startswith("/"):
        return value
    path = layout.relative(value)
    for part, place in _places(layout):
        if path == part or path.startswith(f"{part}/"):
            return place + path[len(part) :]
    return value if path.startswith("/") else f"/github/{_JOB}/{path}"


def _mounts(layout: Layout) -> Sequence[Mount]:
    folder = layout.staging / "github"
    if not folder.exists():
        (folder / _JOB).mkdir(parents=True, mode=0o755)
        for part, place in _places(layout):
            (folder / place.removeprefix("/github/")).symlink_to(f"{_JOB}/{part}")
    return (Mount(folder, "/github", read_only=True), Mount(layout.outside, f"/github/{_JOB}"))


def _lay_out(store: BuildStore, digest: str, target: Path) -> None:
    """An image of the builds' cache as an OCI layout."""
    target.mkdir(mode=0o700, parents=True)
    data = store.read_blob(digest)
    manifest = Manifest.from_bytes(data)
    (target / "blobs").symlink_to(store.root / "blobs")
    (target / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    entry = {"mediaType": manifest.media_type, "digest": digest, "size": len(data)}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    (target / "index.json").write_text(json.dumps(index))
