"""docker/build-push-action: hands the build's context over to Tidegate's builder, which pushes what it made.

The context leaves the job's place as an archive that the job's own user writes; the server unpacks it out of the job's
reach, so that no link or swapped folder in it can name a file of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import posixpath
import re
import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.base.errors import Denied, InvalidInput, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login
from tidegate.runner.actions.action import Call, Inputs, Outputs
from tidegate.runner.actions.build_inputs import build_caches, build_secrets
from tidegate.runner.folder import remove
from tidegate.runner.layout import TEMP
from tidegate.runner.request import PushedImage
from tidegate.workflow.permissions import allows

DOCKERFILE_LIMIT = 1024 * 1024
_PACK = 'set -e; tar -C "$1" -cf "$2" .; if [ -n "$3" ]; then cat -- "$3" >"$4"; fi'
_URL = re.compile(r"[a-z+]+://|git@|github\.com/")
_DEFAULT_CONTEXT = "{{defaultcontext}}"


class BuildPush:
    """Builds one image for its platforms and pushes it under its tags."""

    inputs = Inputs(
        "docker/build-push-action",
        known={
            "context": "", "file": "", "platforms": "", "push": "false", "tags": "", "labels": "", "annotations": "",
            "build-args": "", "target": "", "cache-from": "", "cache-to": "", "no-cache": "false", "provenance": "",
            "sbom": "", "secrets": "", "secret-envs": "", "secret-files": "", "network": "",
        },
        accepted=frozenset({"builder", "cgroup-parent", "github-token", "pull", "shm-size", "ulimit"}),
        refused={
            "add-hosts": "a build reaches no host",
            "allow": "a build gets no entitlements",
            "attests": "write sbom and provenance",
            "build-contexts": "a build has one context",
            "call": "images are only built",
            "load": "there is no Docker to load the image into",
            "no-cache-filters": "there is no cache of stages",
            "outputs": "images only go to a registry",
            "ssh": "a build gets no keys",
        },
        secret=frozenset({"secrets"}),
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """Outputs `imageid`, `digest`, `metadata`. Raises Denied with the line to add to `permissions:`."""
        tags = tuple(parse(tag) for tag in call.items("tags"))
        push = call.flag("push")
        if push and not tags:
            raise InvalidInput("tags are required where push is true", where=call.where)
        async with _context(call) as place, build_caches(call) as caches:
            request = await _request(call, place, tags if push else ())
            request = replace(request, cache_from=caches.reads, cache_to=caches.writes)
            result = await _build(call, request, build_secrets(call))
        if push:
            await _record(call, request, result)
        return _outputs(tags, result)


async def build_here(call: Call, folder: str, dockerfile: str) -> BuildResult:
    """Build a folder of the job's for the input `platforms`; the image stays in the builds' cache. Both are paths as
    the job sees them.
    """
    async with _own_folder(call) as context:
        place = await _packed(call, context, folder, dockerfile)
        return await _build(call, await _request(call, place, ()), {})


def _outputs(tags: tuple[Reference, ...], result: BuildResult) -> Outputs:
    metadata = {"containerimage.digest": result.index_digest, "image.name": ",".join(map(str, tags))}
    return {"imageid": result.index_digest, "digest": result.index_digest, "metadata": json.dumps(metadata, indent=2)}


async def _record(call: Call, request: BuildRequest, result: BuildResult) -> None:
    platforms = tuple(str(platform) for platform in request.platforms)
    for tag in request.tags:
        call.bench.state.images.append(PushedImage(str(tag), result.index_digest, platforms))
        await call.bench.tell(f"pushed {tag}")


@frozen
class _Place:
    """Where a build finds its files: the context, the Dockerfile in it, the root of both, and the Dockerfile's path as
    people of the repository know it (None: its path below the root).
    """

    context: Path
    dockerfile: str
    root: Path
    shown: str | None


@contextlib.asynccontextmanager
async def _own_folder(call: Call) -> AsyncIterator[Path]:
    """An empty folder for the context, in one that is out of the job's reach."""
    root = call.bench.layout.staging / f"build-{secrets.token_hex(8)}"
    context = root / "context"
    await asyncio.to_thread(context.mkdir, mode=0o700, parents=True)
    try:
        yield context
    finally:
        await asyncio.to_thread(remove, root)


@contextlib.asynccontextmanager
async def _context(call: Call) -> AsyncIterator[_Place]:
    """The context as a folder out of the job's reach, the Dockerfile in it or beside it."""
    async with _own_folder(call) as context:
        given = call.text("context")
        if not given or given.lower().replace(" ", "").startswith(_DEFAULT_CONTEXT):
            yield await _from_commit(call, context, given)
        elif _URL.match(given):
            raise InvalidInput(f"the context {given!r} is remote", where=call.where, remedy="check it out, give a path")
        else:
            yield await _from_workspace(call, context, given)


async def _from_commit(call: Call, context: Path, given: str) -> _Place:
    """No path given: the run's commit itself is the context, as GitHub's own Git context is."""
    repository = call.services.repository(str(call.bench.github["repository"]))
    if repository is None:
        raise NotFound("the run's repository is not hosted here", where=call.where)
    await repository.export(str(call.bench.github["sha"]), context)
    below = given.partition(":")[2].strip("/")
    chosen = context / below
    if ".." in Path(below).parts or not chosen.is_dir():
        raise NotFound(f"the context {below!r} is not in the repository", where=call.where)
    return _Place(chosen, call.text("file") or "Dockerfile", context, None)


async def _from_workspace(call: Call, context: Path, given: str) -> _Place:
    bench = call.bench
    inside = bench.layout.in_workspace(given)
    dockerfile = bench.layout.in_workspace(call.text("file") or posixpath.join(given, "Dockerfile"))
    return await _packed(call, context, inside, dockerfile)


async def _packed(call: Call, context: Path, inside: str, dockerfile: str) -> _Place:
    """A folder of the job's as the context, both paths as the job sees them."""
    bench = call.bench
    shown = posixpath.relpath(dockerfile, bench.layout.workspace)
    beside = not dockerfile.startswith(f"{inside}/")
    name = f"{TEMP}/context-{secrets.token_hex(8)}"
    paths = [bench.layout.inside(f"{name}{suffix}") for suffix in (".tar", ".dockerfile")]
    await bench.must(["sh", "-c", _PACK, "sh", inside, paths[0], dockerfile if beside else "", paths[1]])
    await asyncio.to_thread(_unpack, call, f"{name}.tar", context)
    if not beside:
        return _Place(context, posixpath.relpath(dockerfile, inside), context, shown)
    (context.parent / "Dockerfile").write_bytes(bench.folder.read(f"{name}.dockerfile", DOCKERFILE_LIMIT))
    return _Place(context, str(context.parent / "Dockerfile"), context.parent, shown)


def _unpack(call: Call, archive: str, context: Path) -> None:
    with call.bench.folder.open(archive) as file:
        from tidegate.oci.unpack import LayerFile, unpack_layer  # noqa: PLC0415 - few outputs are unpacked

        unpack_layer(LayerFile(Path(f"/proc/self/fd/{file.fileno()}")), context)
    call.bench.folder.delete(archive)


async def _request(call: Call, place: _Place, tags: tuple[Reference, ...]) -> BuildRequest:
    platforms = [Platform.parse(text) for text in call.items("platforms")] or [Platform.of_machine()]
    created = await _commit_time(call)
    return BuildRequest(
        context=place.context,
        platforms=tuple(dict.fromkeys(platforms)),
        tags=tags,
        cache=call.services.cache,
        created=created,
        dockerfile=place.dockerfile,
        root=place.root,
        shown=place.shown,
        labels=_provenance(call.bench.github, call.services.server_url, tags, created) | _pairs(call, "labels"),
        annotations=_pairs(call, "annotations"),
        build_args=_pairs(call, "build-args"),
        target=call.text("target") or None,
        bases=call.services.bases,
        no_cache=call.flag("no-cache"),
        provenance=_provenance_mode(call),
        sbom=call.text("sbom").lower() == "true",
        network=_network(call),
    )


def _provenance_mode(call: Call) -> str:
    text = call.text("provenance").lower()
    return "max" if "mode=max" in text else "min" if text == "true" or "mode=min" in text else ""


def _network(call: Call) -> str:
    """None at all: the machine's own would lead a line of a repository's Dockerfile to its loopback."""
    text = call.text("network") or "default"
    if text not in ("default", "none"):
        raise InvalidInput(f"a build's network is default or none, not {text!r}", where=call.where)
    return "none"


async def _commit_time(call: Call) -> int:
    """The commit's own time: an image of the same commit is the same image, whenever it is built."""
    repository = call.services.repository(str(call.bench.github["repository"]))
    if repository is None:
        return int(call.bench.clock.now().timestamp())
    return (await repository.log(str(call.bench.github["sha"]))).time


def _provenance(
    github: Mapping[str, Any], server_url: str, tags: tuple[Reference, ...], created: int
) -> dict[str, str]:
    """The standard labels by which an image can be traced to its commit."""
    labels = {
        "org.opencontainers.image.created": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "org.opencontainers.image.revision": str(github["sha"]),
        "org.opencontainers.image.source": f"{server_url}/{github['repository']}",
    }
    version = next((tag.tag for tag in tags if tag.tag), None)
    return labels | {"org.opencontainers.image.version": version} if version else labels


def _pairs(call: Call, name: str) -> dict[str, str]:
    """An input of lines `NAME=VALUE`."""
    pairs = {}
    for line in call.lines(name):
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{name} has a line without NAME=VALUE: {line!r}", where=call.where)
        pairs[key.strip()] = value
    return pairs


def settings(
    logins: Mapping[str, Login], endpoints: Mapping[str, Endpoint], token: str, mirrors: Mapping[str, str] | None = None
) -> RegistrySettings:
    """How this build reaches registries. Where this home's own registry answers for a host, a login for that host
    counts, but only the run's own token goes there: nobody's real password does.
    """
    own = Login("runner", token)
    answered = {host: replace(endpoint, login=own if host in logins else None) for host, endpoint in endpoints.items()}
    foreign = {host: login for host, login in logins.items() if host not in endpoints}
    return RegistrySettings(answered, foreign, mirrors or {})


async def _build(call: Call, request: BuildRequest, secrets: Mapping[str, bytes]) -> BuildResult:
    """Build in a child, its lines in the log as they come; those about a platform are progress too."""
    bench = call.bench
    services, token = call.services, str(bench.github.get("token", ""))
    reach = settings(bench.state.logins, services.endpoints, token, services.mirrors)
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    telling = asyncio.create_task(_tell(call, lines, tuple(str(platform) for platform in request.platforms)))
    try:
        return await services.build(request, reach, lines.put_nowait, secrets=secrets)
    except Denied as error:
        raise _denied(call, request, error) from error
    finally:
        lines.put_nowait(None)
        await telling


async def _tell(call: Call, lines: asyncio.Queue[str | None], platforms: tuple[str, ...]) -> None:
    while (line := await lines.get()) is not None:
        news = line.startswith(platforms)
        await (call.bench.tell(line) if news else call.bench.say(line))


def _denied(call: Call, request: BuildRequest, error: Denied) -> TidegateError:
    """The registry's refusal, with the line that the workflow lacks, where that is the reason."""
    if not call.bench.state.logins:
        remedy = "log in first: uses: docker/login-action with registry, username and password"
    elif not allows(call.bench.request.permissions, "packages", "write"):
        remedy = "the run's token may not write packages: add `packages: write` under `permissions:` of the job"
    elif foreign := other_owners(request.tags, call.services.endpoints, str(call.bench.github.get("repository", ""))):
        remedy = foreign
    else:
        remedy = error.remedy or "check the login's password and what it may do"
    return Denied(error.message, where=call.where, remedy=remedy)


def other_owners(tags: Sequence[Reference], here: Collection[str], repository: str) -> str:
    """What to do about a tag that this home's registry keeps for another owner than the repository's; else empty."""
    owner = repository.partition("/")[0]
    for tag in tags:
        first, _, rest = tag.repository.path.partition("/")
        if tag.repository.registry in here and first.lower() != owner.lower():
            name = f"{tag.repository.registry}/{owner.lower()}/{rest or first}"
            return f"a run of {repository} pushes images of its owner only: name it {name}, here and in the manifests"
    return ""
