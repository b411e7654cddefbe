"""Build Tidegate's own container image with Tidegate's own builder: `make image`.

Debian's packages make the base, uv.lock says the wheels, and this source becomes a wheel too. Nothing of the image is
run, so one machine builds it for every platform. The same commit gives the same digest, as long as the cache keeps its
record of Debian's packages. The digests go to stdout, the rest to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tidegate.base.errors import AlreadyExists, InvalidInput, TidegateError
from tidegate.base.process import minimal_environment, run
from tidegate.build.assemble import Built, built_from_store
from tidegate.build.debian.base import BaseSpec, make_bases, spec_of
from tidegate.build.debian.sources import choose_mirrors, machine_sources
from tidegate.build.index_settings import IndexSettings, host_settings
from tidegate.build.publish import write_layout
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.build.spawn import build_image
from tidegate.build.store import BuildStore
from tidegate.build.wheels import find_uv
from tidegate.cli.login import docker_config
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci.credentials import Credentials
from tidegate.oci.values import Index, Manifest

PLATFORMS = ("linux/arm/v7", "linux/arm64", "linux/amd64")
FROM = "debian:bookworm"
# Debian's PyYAML has the fast C parser on every platform, where PyPI's has no wheel at all for arm/v7. What git's
# package wants of Perl serves `git send-email` and its like; accounts are in the image's own passwd.
PACKAGES = (
    "python3", "python3-yaml", "git", "openssh-client", "openssl", "gpgv", "debian-archive-keyring", "xz-utils", "zstd",
    "perl-", "liberror-perl-", "git-man-", "adduser-",
)  # fmt: skip
BASE = ",".join((FROM, *PACKAGES))
FROM_PACKAGES = ("pyyaml",)
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = "https://github.com/tidegate/tidegate"
TIMEOUT = 600.0
LAYOUT_MARK = "oci-layout"
_TITLE = "org.opencontainers.image."

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Commit:
    """What is built: `created` in seconds since the epoch; `revision` is empty where the files are no commit's."""

    created: int
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image to build. `cache` is a folder that builds share; `tags` are pushed to.

    With `refresh`, Debian's packages are those of today instead of those that the cache has a record of.
    """

    cache: Path
    commit: Commit
    platforms: Sequence[str] = PLATFORMS
    tags: Sequence[str] = ()
    refresh: bool = False
    registry: RegistrySettings = field(default_factory=RegistrySettings)


def main() -> None:
    options = _options()
    try:
        result = asyncio.run(_make(options))
    except TidegateError as error:
        sys.exit(error.explain())
    print(result.index_digest)  # noqa: T201
    for platform, digest in result.manifests.items():
        print(platform, digest)  # noqa: T201


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image ARGS=…", description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist/image", help="a folder for an OCI image layout")
    parser.add_argument("--push", action="append", default=[], metavar="REF", help="push the index there, too")
    parser.add_argument("--platform", action="append", metavar="P", help=f"instead of {', '.join(PLATFORMS)}")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="a folder for packages, wheels and layers")
    parser.add_argument(
        "--refresh", action="store_true", help="take Debian's packages of today, not those of last time"
    )
    return parser.parse_args()


def default_cache() -> Path:
    """`TIDEGATE_CACHE`, else below the user's own cache."""
    if given := os.environ.get("TIDEGATE_CACHE"):
        return Path(given).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).absolute() / "tidegate/image"


async def _make(options: argparse.Namespace) -> BuildResult:
    clear(options.output)
    logins = docker_config()
    registry = RegistrySettings()
    if options.push and logins.is_file():
        registry = RegistrySettings(logins=Credentials.from_docker_config(logins.read_bytes()).logins)
    commit = await read_commit(os.environ)
    wanted = Wanted(
        options.cache.absolute(), commit, options.platform or PLATFORMS, options.push, options.refresh, registry
    )
    result = await make_image(wanted, say)
    store = BuildStore(wanted.cache)
    built = images(store, result)
    write_layout(built, result.index_digest, "tidegate", store, options.output)
    for one in built:
        say(f"{one.platform}: {size(store, one) / 1e6:.1f} MB to pull")
    say(f"{options.output} has it: skopeo copy --all oci:{options.output}:tidegate docker://…")
    return result


async def make_image(wanted: Wanted, log: Say) -> BuildResult:
    """Build the image and push it under its tags. Raises what `build_image` does."""
    wanted.cache.mkdir(parents=True, exist_ok=True)
    platforms = tuple(map(Platform.parse, wanted.platforms))
    if wanted.refresh:
        await make_bases(base(), platforms, BuildStore(wanted.cache), log, refresh=True)
    wheels = wanted.cache / "wheels"
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        wheel = await build_wheel(context / "wheel", wanted.commit.created)
        for name in ("Dockerfile", "passwd", "group"):
            shutil.copyfile(HERE / name, context / name)
        (context / "requirements.txt").write_text(await locked())
        (context / "tidegate.txt").write_text(requirement(wheel))
        about = descriptions(wanted.commit, wheel.name.split("-")[1])
        request = BuildRequest(
            context,
            platforms,
            tuple(map(parse, wanted.tags)),
            wanted.cache,
            wanted.commit.created,
            labels=about,
            annotations=about,
            bases={FROM: BASE},
        )
        # Always at one place, since the layers' keys cover where packages are looked for.
        wheels.mkdir(exist_ok=True)
        wheel.replace(wheels / wheel.name)
        return await build_image(request, wanted.registry, log, index=with_folder(host_settings(os.environ), wheels))


def base() -> BaseSpec:
    """What the builder makes of FROM, from the mirrors of this machine."""
    spec = spec_of(BASE)
    return replace(spec, mirrors=choose_mirrors(machine_sources(), spec.suite))


def with_folder(settings: IndexSettings, folder: Path) -> IndexSettings:
    """The host's settings, and packages of `folder` too."""
    return replace(settings, find_links=(*settings.find_links, str(folder)))


async def build_wheel(folder: Path, created: int) -> Path:
    """This source as a wheel, by the locked build backend: the same bytes every time."""
    argv = [
        str(find_uv()), "build", "--quiet", "--wheel", "--no-build-isolation", "--offline", "--python", sys.executable,
        "--out-dir", str(folder), str(ROOT),
    ]  # fmt: skip
    await run(argv, env=_environment({"SOURCE_DATE_EPOCH": str(created)}), timeout=TIMEOUT)
    (wheel,) = folder.glob("*.whl")
    return wheel


async def locked() -> str:
    """The requirements of uv.lock with their digests, but those that are Debian packages."""
    argv = [
        str(find_uv()), "export", "--quiet", "--frozen", "--offline", "--project", str(ROOT), "--no-dev", "--extra",
        "build", "--no-emit-project", "--no-header", "--no-annotate", "--python", sys.executable,
    ]  # fmt: skip
    for name in FROM_PACKAGES:
        argv += ["--no-emit-package", name]
    return (await run(argv, env=_environment(), timeout=TIMEOUT)).text


def requirement(wheel: Path) -> str:
    """The line that takes this very wheel and no other one of its name and version."""
    name, version = wheel.name.split("-")[:2]
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def descriptions(commit: Commit, version: str) -> dict[str, str]:
    """What the image says of itself, by OCI's own names: as labels and as annotations."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    values = {
        "title": "Tidegate",
        "description": project["description"],
        "version": version,
        "created": rfc3339(datetime.fromtimestamp(commit.created, UTC)),
        "licenses": project["license"],
        "source": SOURCE,
        "documentation": project["urls"]["Documentation"],
        "revision": commit.revision,
    }
    return {f"{_TITLE}{name}": text for name, text in values.items() if text}


async def read_commit(environment: Mapping[str, str]) -> Commit:
    """The commit that is checked out; SOURCE_DATE_EPOCH says its time instead. Raises InvalidInput without either."""
    given = environment.get("SOURCE_DATE_EPOCH", "")
    if given and not (given.isascii() and given.isdigit()):
        raise InvalidInput(f"SOURCE_DATE_EPOCH is {given!r}", remedy="set it to seconds since 1970, or not at all")
    done = await _git("log", "-1", "--format=%H %ct")
    if not done:
        if given:
            return Commit(int(given))
        raise InvalidInput(f"{ROOT} is no git checkout, so it has no time", remedy="set SOURCE_DATE_EPOCH")
    revision, moment = done.split()
    if await _git("status", "--porcelain"):
        say("there are changes that are not committed, so the image names no commit")
        revision = ""
    return Commit(int(given or moment), revision)


async def _git(*arguments: str) -> str:
    done = await run(["git", "-C", str(ROOT), *arguments], env=_environment(), check=False, package="git")
    return done.text.strip() if done.exit_code == 0 else ""


def images(store: BuildStore, result: BuildResult) -> list[Built]:
    """What was built, as the store has it."""
    index = Index.from_bytes(store.read_blob(result.index_digest))
    return [built_from_store(store, one.platform, one) for one in index.manifests if one.platform]


def size(store: BuildStore, built: Built) -> int:
    """Bytes of an image as it is pulled."""
    manifest = Manifest.from_bytes(store.read_blob(built.descriptor.digest))
    return sum(part.size for part in (built.descriptor, manifest.config, *manifest.layers))


def clear(folder: Path) -> None:
    """Remove the layout of an earlier build; nothing else. Raises AlreadyExists."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / LAYOUT_MARK).is_file():
            raise AlreadyExists(f"{folder} holds something else than an image", remedy="name a new folder: --output")
        shutil.rmtree(folder)


def _environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Also HOME, where git keeps whose checkouts it trusts."""
    home = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    return minimal_environment(home | dict(extra or {}), network=True)


def say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
