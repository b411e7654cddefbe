"""Makes a base image for one platform from a suite's packages, and keeps it: the second call finds it.

A lock in the cache records what was resolved, so the same base comes out until somebody asks for newer packages.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.bytecode import Compiler, can_compile
from tidegate.build.debian.compose import compose
from tidegate.build.debian.deb import unpack
from tidegate.build.debian.fetch import Fetcher, Wanted
from tidegate.build.debian.indexes import architecture_of, read_indexes
from tidegate.build.debian.packages import Package, parse_package
from tidegate.build.debian.resolve import resolve
from tidegate.build.debian.sources import Mirrors
from tidegate.build.layering import LEVEL
from tidegate.build.store import BuildStore, key_of
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Layer, write_layer
from tidegate.oci.values import OCI_CONFIG, OCI_MANIFEST, ContainerConfig, Descriptor, History, ImageConfig, Manifest

FORMAT = 1
"""Raise it where the same packages would give another image."""
ESSENTIALS = (
    "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "debianutils", "findutils", "grep",
    "gzip", "hostname", "libc-bin", "libstdc++6", "mawk", "media-types", "netbase", "sed", "tar", "tzdata",
)  # fmt: skip
"""What every base has: what programs and wheels expect to find in a small image."""
DEFAULT_PACKAGES = ("python3",)
# They serve maintainer scripts, or set up accounts; nothing here runs either.
WITHOUT = frozenset({"debconf", "debconf-2.0", "cdebconf", "dpkg", "install-info", "libdebconfclient0", "passwd",
                     "perl-base", "usrmerge", "usr-is-merged", "init-system-helpers"})  # fmt: skip
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SUITES = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"}
# Debian policy 5.6.7, and apt's minus.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]-?", re.ASCII)

Log = Callable[[str], None]


@frozen
class BaseSpec:
    """What a base is to be: a suite, the packages asked for besides the essentials, and where they come from.

    `without` are packages to leave out although others depend on them.
    """

    suite: str
    packages: tuple[str, ...] = DEFAULT_PACKAGES
    mirrors: Mirrors = field(default_factory=Mirrors)
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How people write it: `debian:bookworm`."""
        return f"debian:{self.suite}"


@frozen
class Base:
    """A base image in the store: its manifest there, and its platform."""

    platform: Platform
    manifest: Descriptor


def suite_of(name: str) -> str:
    """The suite that `debian:bookworm`, `debian:12` or `debian:bookworm-slim` names. Raises InvalidInput."""
    image, _, tag = name.partition(":")
    suite = tag.removesuffix("-slim")
    suite = _SUITES.get(suite.partition(".")[0], suite)
    if image != "debian" or not suite.isascii() or not suite.isalpha() or not suite.islower():
        raise InvalidInput(f"{name!r} names no Debian suite", remedy="write debian:bookworm or debian:trixie")
    return suite


def spec_of(text: str) -> BaseSpec:
    """The base that `debian:SUITE` names, or `debian:SUITE,PACKAGE,…` with packages in place of the default ones.

    A package with a minus at its end is left out, as apt has it. Raises InvalidInput.
    """
    name, *words = text.split(",")
    suite = suite_of(name)
    for word in words:
        if not _PACKAGE.fullmatch(word):
            remedy = "write debian:bookworm,python3,git; a minus at the end leaves a package out: perl-"
            raise InvalidInput(f"{word[:100]!r} in {text[:200]!r} names no Debian package", remedy=remedy)
    packages = tuple(word for word in words if not word.endswith("-"))
    without = tuple(word.removesuffix("-") for word in words if word.endswith("-"))
    return BaseSpec(suite, packages or DEFAULT_PACKAGES, without=without)


async def make_bases(
    spec: BaseSpec, platforms: Sequence[Platform], store: BuildStore, log: Log, *, refresh: bool = False
) -> list[Base]:
    """The bases for several platforms, side by side; see `make_base`."""
    compiler = Compiler()
    async with Fetcher(store.folder("packages")) as fetcher:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(make_base(spec, one, store, fetcher, compiler, log, refresh=refresh))
                    for one in platforms
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def make_base(
    spec: BaseSpec,
    platform: Platform,
    store: BuildStore,
    fetcher: Fetcher,
    compiler: Compiler,
    log: Log,
    *,
    refresh: bool = False,
) -> Base:
    """The base of `spec` for `platform`, from the store or made now; with `refresh` from today's packages.

    Raises InvalidInput, NotFound, Unavailable or MissingTool.
    """
    packages = None if refresh else _locked(spec, platform, store)
    if packages is None:
        packages = await _resolve(spec, platform, fetcher, log)
        _lock(spec, platform, store, packages)
    key = key_of(
        {
            "format": FORMAT,
            "suite": spec.suite,
            "platform": str(platform),
            "bytecode": can_compile(_python_minor(packages)),
            "packages": [[package.name, package.version, package.sha256] for package in packages],
        }
    )
    kept = _kept(store, key, platform)
    if kept is not None:
        return kept
    size = sum(package.size for package in packages) / 1e6
    log(f"{platform}: {len(packages)} packages, {size:.0f} MB")
    wanted = [Wanted(f"{package.origin}/{package.path}", package.sha256, package.size) for package in packages]
    debs = await fetcher.files(wanted)
    base = await asyncio.to_thread(_assemble, spec, platform, packages, debs, store, compiler)
    store.remember("bases", key, {"manifest": base.manifest.as_json()})
    return base


def _kept(store: BuildStore, key: str, platform: Platform) -> Base | None:
    record = store.record("bases", key)
    if record is None:
        return None
    descriptor = Descriptor.from_json(record.get("manifest"))
    if not store.has_blob(descriptor):
        return None
    manifest = Manifest.from_bytes(store.read_blob(descriptor.digest))
    if not all(store.has_blob(part) for part in (manifest.config, *manifest.layers)):
        return None
    return Base(platform, descriptor)


def _lock_key(spec: BaseSpec, platform: Platform) -> str:
    wanted: dict[str, object] = {
        "packages": sorted(spec.packages), "archive": spec.mirrors.archive, "security": spec.mirrors.security
    }  # fmt: skip
    if spec.without:
        wanted["without"] = sorted(spec.without)
    return f"{spec.suite}-{architecture_of(platform)}-{key_of(wanted)[:16]}"


def _locked(spec: BaseSpec, platform: Platform, store: BuildStore) -> list[Package] | None:
    record = store.record("locks", _lock_key(spec, platform))
    if record is None or record.get("format") != FORMAT:
        return None
    return [parse_package(entry["control"], entry["origin"]) for entry in record["packages"]]


def _lock(spec: BaseSpec, platform: Platform, store: BuildStore, packages: Sequence[Package]) -> None:
    entries = [{"name": p.name, "version": p.version, "origin": p.origin, "control": p.control} for p in packages]
    store.remember("locks", _lock_key(spec, platform), {"format": FORMAT, "suite": spec.suite, "packages": entries})


async def _resolve(spec: BaseSpec, platform: Platform, fetcher: Fetcher, log: Log) -> list[Package]:
    indexes = await read_indexes(spec.suite, spec.mirrors, platform, fetcher, log)
    return await asyncio.to_thread(resolve, indexes, (*ESSENTIALS, *spec.packages), WITHOUT | set(spec.without))


def _assemble(
    spec: BaseSpec,
    platform: Platform,
    packages: Sequence[Package],
    debs: Sequence[Path],
    store: BuildStore,
    compiler: Compiler,
) -> Base:
    with store.scratch() as scratch:
        unpacked = [unpack(deb, scratch / str(number)) for number, deb in enumerate(debs)]
        entries = compose(packages, unpacked)
        minor = _python_minor(packages)
        if can_compile(minor):
            folders = (f"usr/lib/python{minor}", "usr/lib/python3/dist-packages")
            entries += [entry for folder in folders for entry in compiler.entries(entries, folder)]
        moment = max(entry.mtime or 0 for entry in entries)
        layer = write_layer(entries, scratch / "layer", mtime=moment, level=LEVEL)
        store.adopt_blob(layer.path, layer.descriptor.digest)
    command = ("python3",) if minor else ("bash",)
    return _image(spec, platform, layer, moment, command, store)


def _python_minor(packages: Sequence[Package]) -> str:
    """`3.11` where Python is among the packages, else nothing."""
    if not any(package.name == "python3" for package in packages):
        return ""
    found = (re.fullmatch(r"python(3\.[0-9]+)-minimal", package.name) for package in packages)
    return next((match[1] for match in found if match), "")


def _image(
    spec: BaseSpec, platform: Platform, layer: Layer, moment: int, command: tuple[str, ...], store: BuildStore
) -> Base:
    created = rfc3339(datetime.fromtimestamp(moment, UTC))
    about = {
        "org.opencontainers.image.title": f"{spec.name} from packages",
        "org.opencontainers.image.description": "A base made of Debian's packages, unpacked and not configured; it "
        "stands in for images of that name and was not made by Debian.",
        "org.opencontainers.image.version": spec.suite,
    }
    config = ImageConfig(
        platform,
        (layer.diff_id,),
        ContainerConfig(env=(f"PATH={PATH}", "LANG=C.UTF-8"), cmd=command, labels=about),
        created,
        history=(History(created_by=f"tidegate base {spec.name}", created=created),),
    )
    data = config.to_bytes()
    config_descriptor = replace(Descriptor.of(OCI_CONFIG, data), digest=store.put_blob(data))
    manifest = Manifest(config_descriptor, (layer.descriptor,), annotations=about).to_bytes()
    return Base(platform, replace(Descriptor.of(OCI_MANIFEST, manifest, platform), digest=store.put_blob(manifest)))
