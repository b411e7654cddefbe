"""From unpacked packages to a root file system: what their maintainer scripts would have set up, as data. Pure but for
reading the unpacked files; nothing of the packages is ever run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.build.debian.packages import Package
from tidegate.oci.layers import Entry, EntryKind, directory, symlink

CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = "usr/share/ca-certificates/"
_MERGED_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib"}
# base-files' postinst, and what its scripts leave to the administrator.
_DIRECTORIES = {
    "mnt": 0o755, "srv": 0o755, "opt": 0o755, "media": 0o755, "var/opt": 0o755, "run/lock": 0o1777, "tmp": 0o1777,
    "var/tmp": 0o1777, "root": 0o700, "home": 0o755, "proc": 0o755, "sys": 0o755, "dev": 0o755, "usr/local/bin": 0o755,
    "usr/local/sbin": 0o755, "usr/local/lib": 0o755, "usr/local/share": 0o755, "usr/local/include": 0o755,
    "usr/local/etc": 0o755, "var/log": 0o755, "var/cache": 0o755, "var/lib": 0o755, "var/spool": 0o755,
}  # fmt: skip
_LINKS = {"var/run": "/run", "var/lock": "/run/lock", "etc/localtime": "/usr/share/zoneinfo/Etc/UTC"}
# From a file that a package ships to the place that its postinst copies it to.
_COPIES = {
    "usr/share/base-passwd/passwd.master": "etc/passwd",
    "usr/share/base-passwd/group.master": "etc/group",
    "usr/share/base-files/profile": "etc/profile",
    "usr/share/base-files/dot.profile": "root/.profile",
    "usr/share/base-files/dot.bashrc": "root/.bashrc",
    "usr/share/libc-bin/nsswitch.conf": "etc/nsswitch.conf",
    "usr/share/debianutils/shells": "etc/shells",
}
# update-alternatives, where a link is made if the program is there.
_ALTERNATIVES = {
    "usr/bin/mawk": ("awk", "nawk"),
    "usr/bin/which.debianutils": ("which",),
}
_STATUS = "var/lib/dpkg/status"
_STATUS_FIELDS_LEFT_OUT = ("Filename:", "Size:", "MD5sum:", "SHA256:", "Description-md5:")


def compose(packages: Sequence[Package], unpacked: Sequence[Sequence[Entry]]) -> list[Entry]:
    """All entries of the root file system of `packages`, whose files are `unpacked` in the same order.

    Raises InvalidInput where two packages hold different things under one path.
    """
    tree: dict[str, Entry] = {}
    for package, entries in zip(packages, unpacked, strict=True):
        for entry in entries:
            _place(tree, entry, package.name)
    _merge_usr(tree)
    for entry in _configured(tree):
        tree[entry.path] = entry
    tree[_STATUS] = Entry(_STATUS, content=_status(packages))
    for path in list(tree):
        _add_parents(tree, path)
    return [tree[path] for path in sorted(tree)]


def _place(tree: dict[str, Entry], entry: Entry, package: str) -> None:
    there = tree.get(entry.path)
    if there is not None and not _same(there, entry):
        raise InvalidInput(f"the package {package} holds /{entry.path}, and so does another one that was chosen")
    tree.setdefault(entry.path, entry)


def _same(one: Entry, other: Entry) -> bool:
    if one.kind is EntryKind.FILE and other.kind is EntryKind.FILE:
        return _content(one) == _content(other)
    if one.kind is EntryKind.DIRECTORY or other.kind is EntryKind.DIRECTORY:
        return one.kind is other.kind
    return (one.kind, one.target) == (other.kind, other.target)


def _merge_usr(tree: dict[str, Entry]) -> None:
    """The top-level links of a merged /usr; `lib64` and the like only where a package has files there."""
    links = dict(_MERGED_LINKS)
    links |= {name: f"usr/{name}" for name in ("lib32", "lib64", "libx32") if f"usr/{name}" in tree}
    for name, target in links.items():
        tree[name] = symlink(name, target)
        tree.setdefault(target, directory(target))


def _configured(tree: dict[str, Entry]) -> Iterator[Entry]:
    for path, mode in _DIRECTORIES.items():
        if path not in tree:
            yield directory(path, mode)
    for path, target in _LINKS.items():
        if path != "etc/localtime" or target.lstrip("/") in tree:
            yield symlink(path, target)
    for source, path in _COPIES.items():
        if source in tree and path not in tree:
            yield replace(tree[source], path=path)
    for program, names in _ALTERNATIVES.items():
        if program in tree:
            for name in names:
                yield symlink(f"etc/alternatives/{name}", f"/{program}")
                yield symlink(f"usr/bin/{name}", f"/etc/alternatives/{name}")
    if "usr/bin/python3" in tree:
        yield symlink("usr/local/bin/python", "/usr/bin/python3")
        yield symlink("usr/local/bin/python3", "/usr/bin/python3")
    yield from _authorities(tree)


def _authorities(tree: dict[str, Entry]) -> Iterator[Entry]:
    """What update-ca-certificates(8) makes of Mozilla's list; without the links by subject hash."""
    paths = sorted(path for path in tree if path.startswith(_CERTIFICATES) and path.endswith(".crt"))
    if paths:
        yield Entry(CA_BUNDLE, content=b"".join(_ended(_content(tree[path])) for path in paths))
        listed = "".join(f"{path.removeprefix(_CERTIFICATES)}\n" for path in paths)
        yield Entry("etc/ca-certificates.conf", content=listed.encode())


def _ended(data: bytes) -> bytes:
    return data if data.endswith(b"\n") else data + b"\n"


def _content(entry: Entry) -> bytes:
    return entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content


def _status(packages: Iterable[Package]) -> bytes:
    """dpkg's own list, so that scanners see what is inside; `unpacked`, for that is the truth."""
    return "\n".join(stanza(package, "unpacked") for package in packages).encode()


def stanza(package: Package, state: str) -> str:
    """A package's entry in dpkg's list."""
    lines = [line for line in package.control.splitlines() if not line.startswith(_STATUS_FIELDS_LEFT_OUT)]
    lines.insert(1, f"Status: install ok {state}")
    return "\n".join(lines) + "\n"


def _add_parents(tree: dict[str, Entry], path: str) -> None:
    parent = path.rpartition("/")[0]
    while parent and parent not in tree:
        tree[parent] = directory(parent)
        parent = parent.rpartition("/")[0]
