"""`apt-get install` in an image of Debian: packages that need no script to be run are unpacked, as dpkg would.

A lock in the cache records what was resolved, so that the same line gives the same layer until the cache is cleared.
"""

from __future__ import annotations

import asyncio
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.contents import Contents
from tidegate.build.debian.base import WITHOUT
from tidegate.build.debian.compose import stanza
from tidegate.build.debian.deb import control_files, is_documentation, unpack
from tidegate.build.debian.fetch import Fetcher, Wanted
from tidegate.build.debian.indexes import architecture_of, read_indexes
from tidegate.build.debian.packages import Package, parse_installed, parse_package
from tidegate.build.debian.resolve import resolve
from tidegate.build.debian.scripts import Alternative, administration, read_scripts
from tidegate.build.debian.sources import Mirrors, choose_mirrors, machine_sources
from tidegate.build.filesystem import Filesystem
from tidegate.build.native import NotNative
from tidegate.build.store import BuildStore, key_of
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Entry, EntryKind, symlink

FORMAT = 2
"""Raise it where the same packages would give another layer."""
_STATUS = "var/lib/dpkg/status"
_INFO = "var/lib/dpkg/info"
_ALTERNATIVES = "var/lib/dpkg/alternatives"
_RELEASE = re.compile(r'^(ID|VERSION_CODENAME)="?([a-z]+)"?$', re.MULTILINE)

Log = Callable[[str], None]


@frozen
class Ground:
    """What is known of an image that packages come to: its suite, what is installed, what dpkg is told to leave out.

    `configured` is False for a base that was made by unpacking alone, which has no dpkg.
    """

    suite: str
    installed: tuple[Package, ...]
    excludes: tuple[tuple[str, str], ...] = ()
    configured: bool = True
    mirrors: Mirrors = field(default_factory=Mirrors)

    def leaves_out(self, path: str) -> bool:
        """Whether a package's path is not unpacked: the last `path-exclude` or `path-include` that matches says."""
        if not self.configured:
            return is_documentation(path)
        left_out = False
        for option, pattern in self.excludes:
            if fnmatch.fnmatchcase(f"/{path}", pattern):
                left_out = option == "path-exclude"
        return left_out


def read_ground(files: Filesystem, contents: Contents) -> Ground:
    """What packages would come to. Raises NotNative where that is no Debian. Blocks."""
    release = dict(_RELEASE.findall(contents.text(files, "etc/os-release")))
    status = contents.text(files, _STATUS)
    if release.get("ID", "debian") != "debian" or "etc/debian_version" not in files.nodes or not status:
        raise NotNative("apt-get install natively is for images of Debian")
    suite = release.get("VERSION_CODENAME", "")
    if not suite:
        raise NotNative("the image does not say which release of Debian it is")
    options: list[tuple[str, str]] = []
    for path in files.under("etc/dpkg/dpkg.cfg.d"):
        lines = contents.text(files, path).splitlines()
        options += [(name, value) for name, _, value in (line.strip().partition("=") for line in lines)]
    excludes = tuple(option for option in options if option[0] in ("path-exclude", "path-include"))
    configured = "usr/bin/dpkg" in files.nodes
    mirrors = choose_mirrors(machine_sources(), suite)
    return Ground(suite, tuple(parse_installed(status)), excludes, configured, mirrors)


async def choose(
    names: Sequence[str],
    ground: Ground,
    platform: Platform,
    store: BuildStore,
    fetcher: Fetcher,
    log: Log,
    *,
    recommends: bool,
) -> list[Package]:
    """The packages that `names` bring, from the lock or by the indexes of today.

    Raises NotNative where what is installed would have to change, NotFound, Unavailable or MissingTool.
    """
    key = _lock_key(names, ground, platform, recommends=recommends)
    record = store.record("locks", key)
    if record is not None and record.get("format") == FORMAT:
        return [parse_package(entry["control"], entry["origin"]) for entry in record["packages"]]
    indexes = await read_indexes(ground.suite, ground.mirrors, platform, fetcher, log)
    without = frozenset() if ground.configured else WITHOUT
    installed = [package for package in ground.installed if package.name not in names or ground.configured]
    try:
        packages = await asyncio.to_thread(lambda: resolve(indexes, names, without, installed, recommends=recommends))
    except InvalidInput as error:
        raise NotNative(f"apt-get install: {error}") from error
    entries = [{"control": package.control, "origin": package.origin} for package in packages]
    store.remember("locks", key, {"format": FORMAT, "packages": entries})
    return packages


def _lock_key(names: Sequence[str], ground: Ground, platform: Platform, *, recommends: bool) -> str:
    installed = sorted([package.name, package.version, package.architecture] for package in ground.installed)
    wanted = {
        "names": sorted(set(names)),
        "installed": installed,
        "recommends": recommends,
        "mirrors": [ground.mirrors.archive, ground.mirrors.security],
    }
    return f"added-{ground.suite}-{architecture_of(platform)}-{key_of(wanted)[:16]}"


def layer_key(packages: Iterable[Package], ground: Ground, files: Filesystem) -> str:
    """The key of the layer that they come to."""
    status = files.find(_STATUS)
    links = sorted([path, inode.target] for path, inode in files.nodes.items() if inode.target and "/" not in path)
    return key_of(
        {
            "packages": FORMAT,
            "chosen": [[package.name, package.version, package.sha256] for package in packages],
            "excludes": [list(option) for option in ground.excludes],
            "configured": ground.configured,
            "status": None if status is None else status.row(),
            "links": links,
        }
    )


async def add(
    packages: Sequence[Package],
    ground: Ground,
    files: Filesystem,
    contents: Contents,
    fetcher: Fetcher,
    scratch: Path,
) -> list[Entry]:
    """The layer's entries, whose contents are in `scratch`. Raises NotNative where a package's script must be run."""
    wanted = [Wanted(f"{package.origin}/{package.path}", package.sha256, package.size) for package in packages]
    debs = await fetcher.files(wanted)
    return await asyncio.to_thread(_entries, packages, debs, ground, files, contents, scratch)


def _entries(
    packages: Sequence[Package],
    debs: Sequence[Path],
    ground: Ground,
    files: Filesystem,
    contents: Contents,
    scratch: Path,
) -> list[Entry]:
    controls = [control_files(deb) for deb in debs]
    alternatives = _alternatives(packages, controls) if ground.configured else []
    found: dict[str, Entry] = {}
    for number, (package, deb, control) in enumerate(zip(packages, debs, controls, strict=True)):
        entries = unpack(deb, scratch / f"deb-{number}", ground.leaves_out)
        for entry in entries:
            _place(found, _in_image(entry, files), files, package)
        if ground.configured:
            found |= {one.path: one for one in _records(package, control, entries)}
    for alternative in alternatives:
        _set_up(alternative, found, files)
    listed = contents.text(files, _STATUS).rstrip("\n")
    state = "installed" if ground.configured else "unpacked"
    added = "\n".join(stanza(package, state) for package in packages)
    found[_STATUS] = Entry(_STATUS, content=f"{listed}\n\n{added}\n".encode("utf-8", "surrogateescape"))
    return list(found.values())


def _alternatives(packages: Sequence[Package], controls: Sequence[dict[str, bytes]]) -> list[Alternative]:
    """What the packages' scripts set up. Raises NotNative with all of those that must be run."""
    found: list[Alternative] = []
    needing: list[str] = []
    for package, control in zip(packages, controls, strict=True):
        try:
            found += read_scripts(control)
        except NotNative as script:
            needing.append(f"{package.name} ({script})")
    if needing:
        raise NotNative(f"apt-get install must run the scripts of these packages: {', '.join(needing)}")
    return found


def _set_up(one: Alternative, found: dict[str, Entry], files: Filesystem) -> None:
    """The links of an alternative; those that go along only where what they lead to is there."""
    note = f"{_ALTERNATIVES}/{one.name}"
    if note in files.nodes or note in found:
        raise NotNative(f"apt-get install: there are several alternatives for {one.name}")
    found[note] = Entry(note, content=administration(one).encode())
    for name, link, path in ((one.name, one.link, one.path), *one.slaves):
        target = _where(path, files)
        if target not in found and target not in files.nodes:
            continue
        place = _where(link, files)
        if place in found or place in files.nodes:
            raise NotNative(f"apt-get install: /{place} is in the way of an alternative")
        found[place] = symlink(place, f"/etc/alternatives/{name}")
        found[f"etc/alternatives/{name}"] = symlink(f"etc/alternatives/{name}", path)


def _where(path: str, files: Filesystem) -> str:
    folder, _, name = path.rpartition("/")
    return f"{files.resolve(folder)}/{name}".lstrip("/")


def _in_image(entry: Entry, files: Filesystem) -> Entry:
    """The entry where its directory really is."""
    return replace(entry, path=_where(entry.path, files))


def _place(found: dict[str, Entry], entry: Entry, files: Filesystem, package: Package) -> None:
    there = files.nodes.get(entry.path)
    if entry.kind is EntryKind.DIRECTORY:
        if not files.is_directory(files.resolve(entry.path)):
            found.setdefault(entry.path, entry)
    elif there is not None or entry.path in found:
        raise NotNative(f"apt-get install: the package {package.name} would replace /{entry.path}")
    else:
        found[entry.path] = entry


def _records(package: Package, control: dict[str, bytes], entries: Sequence[Entry]) -> Iterable[Entry]:
    """What dpkg notes beside its list: the package's files, their sums, and what else it says of itself."""
    shared = re.search(r"^Multi-Arch: same$", package.control, re.MULTILINE)
    name = f"{package.name}:{package.architecture}" if shared else package.name
    paths = "".join(f"/{entry.path}\n" for entry in entries)
    yield Entry(f"{_INFO}/{name}.list", content=f"/.\n{paths}".encode())
    for kind, data in control.items():
        if kind != "control":
            mode = 0o755 if kind in ("preinst", "postinst", "prerm", "postrm") else 0o644
            yield Entry(f"{_INFO}/{name}.{kind}", mode=mode, content=data)
