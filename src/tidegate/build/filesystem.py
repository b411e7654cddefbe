"""An image's files as values: what every step reads and changes, without a disk, a user's rights or an emulator. Pure.

Content is named by its digest and place, and read only where a layer is written; so a step that moves, owns or removes
ten thousand files costs nothing until then, and the key of what it comes to is known before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.build.context import Node, go_pattern
from tidegate.oci.layers import EntryKind

_LINKS = 40
NODE_LIMIT = 1_000_000
_LARGEST_ID = 2**32 - 2


@frozen
class InLayer:
    """A regular file of a layer's blob."""

    blob: Path
    member: str


Place = bytes | Path | InLayer | Node


@frozen
class Content:
    """A file's bytes: their sha256 (hexadecimal), how many they are, and where they can be had."""

    digest: str
    size: int
    place: Place = field(compare=False)


@frozen
class Inode:
    """A file, directory or symlink. `mtime` is None for the time that every layer of ours has."""

    kind: EntryKind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: Content | None = None
    target: str = ""
    mtime: int | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.kind is EntryKind.DIRECTORY

    def row(self) -> list[Any]:
        """What makes a layer of it differ, as JSON holds it."""
        content = self.target if self.content is None else self.content.digest
        return [str(self.kind), self.mode, self.uid, self.gid, content, self.mtime]


Changes = Mapping[str, Inode | None]
"""What a layer brings, by path without a leading slash; None where it takes something away."""


def folder_inode(mode: int = 0o755, uid: int = 0, gid: int = 0) -> Inode:
    """A directory."""
    return Inode(EntryKind.DIRECTORY, mode, uid, gid)


@dataclass(slots=True)
class Filesystem:
    """What an image holds, by path without a leading slash. The root itself is not in `nodes`."""

    nodes: dict[str, Inode] = field(default_factory=dict)

    def copy(self) -> Filesystem:
        """Another one with the same files."""
        return Filesystem(dict(self.nodes))

    def resolve(self, path: str, *, last: bool = True) -> str:
        """Where `path` really leads, links resolved as the image's own root would; with `last` also the last part.

        Raises InvalidInput on a loop of links.
        """
        here: list[str] = []
        ahead = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                here = here[:-1]
                continue
            here.append(part)
            node = self.nodes.get("/".join(here))
            if node is None or node.kind is not EntryKind.SYMLINK or (not ahead and not last):
                continue
            links += 1
            if links > _LINKS:
                raise InvalidInput(f"{path} goes through too many links")
            here = [] if node.target.startswith("/") else here[:-1]
            ahead += [step for step in reversed(node.target.split("/")) if step not in ("", ".")]
        return "/".join(here)

    def find(self, path: str) -> Inode | None:
        """What is at `path`, links resolved; None for nothing, and for the root."""
        return self.nodes.get(self.resolve(path))

    def is_directory(self, path: str) -> bool:
        """Whether a directory is at `path`, which is resolved already."""
        return not path or ((node := self.nodes.get(path)) is not None and node.is_directory)

    def under(self, folder: str) -> list[str]:
        """The paths of everything below `folder` (resolved), in order."""
        prefix = f"{folder}/" if folder else ""
        return sorted((path for path in self.nodes if path.startswith(prefix)), key=_by_part)

    def glob(self, pattern: str) -> list[str]:
        """The paths that an absolute pattern matches, wildcards within one part of it; links on the way resolved."""
        found = [""]
        for part in (part for part in pattern.split("/") if part not in ("", ".")):
            if not re.search(r"[*?\[\\]", part):
                found = [f"{self.resolve(folder)}/{part}".lstrip("/") for folder in found]
                continue
            wanted = re.compile(go_pattern(part))
            found = [
                path
                for folder in map(self.resolve, found)
                for path in self.under(folder)
                if "/" not in (name := path[len(folder) :].lstrip("/")) and wanted.fullmatch(name)
            ]
        return [path for path in found if not path or path in self.nodes]

    def put(self, path: str, inode: Inode) -> None:
        """Have `inode` at `path`, whose directory is resolved and there; what was below a replaced directory is gone.

        Raises InvalidInput past a million files, or where the name can't be in a layer.
        """
        name = path.rpartition("/")[2]
        if name.startswith(".wh."):
            raise InvalidInput(f"/{path} can't be in an image: a name that begins with .wh. deletes what is below it")
        if self.is_directory(path) and not inode.is_directory:
            self.remove(path)
        if len(self.nodes) >= NODE_LIMIT and path not in self.nodes:
            raise LimitExceeded(f"the image has more than {NODE_LIMIT} files")
        self.nodes[path] = inode

    def make_directories(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> list[str]:
        """Make `path` (resolved) and its parents as far as they are missing, all for one owner; `mode` is the last's.

        Raises InvalidInput where a file is in the way.
        """
        made: list[str] = []
        parts = path.split("/") if path else []
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if self.is_directory(folder):
                continue
            if folder in self.nodes:
                raise InvalidInput(f"/{folder} is a file, so it can't hold /{path}")
            self.put(folder, folder_inode(mode if depth == len(parts) else 0o755, uid, gid))
            made.append(folder)
        return made

    def remove(self, path: str) -> None:
        """Take away what is at `path` (resolved but for its last part), and all below it."""
        node = self.nodes.pop(path, None)
        if node is not None and node.is_directory:
            for inner in self.under(path):
                del self.nodes[inner]

    def apply(self, changes: Changes) -> None:
        """Have what a layer brings."""
        for path, inode in changes.items():
            if inode is None:
                self.remove(path)
        for path, inode in changes.items():
            if inode is not None:
                self.put(path, inode)

    def changes_since(self, before: Filesystem) -> dict[str, Inode | None]:
        """What a layer over `before` must say; of a directory that is gone the directory alone."""
        changes: dict[str, Inode | None] = {}
        for path, inode in self.nodes.items():
            old = before.nodes.get(path)
            if old is not inode and old != inode:
                changes[path] = inode
        gone = [path for path in before.nodes if path not in self.nodes]
        for path in gone:
            parent = path.rpartition("/")[0]
            if parent in self.nodes and not self.nodes[parent].is_directory:
                continue  # what took the directory's place hides what was in it
            if not parent or parent in self.nodes:
                changes[path] = None
        return changes


def _by_part(path: str) -> list[str]:
    return path.split("/")


@frozen
class Accounts:
    """The users of an image with their primary groups, and its groups."""

    users: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)

    def owner(self, text: str) -> tuple[int, int]:
        """The ids of `user[:group]`, by number or by the image's own lists. Raises InvalidInput."""
        user, colon, group = text.partition(":")
        if user.isascii() and user.isdigit():
            uid, gid = int(user), int(user)
        elif user in self.users:
            uid, gid = self.users[user]
        else:
            raise InvalidInput(f"the image has no user {user!r}")
        if colon:
            gid = self.group(group)
        if max(uid, gid) > _LARGEST_ID:
            raise InvalidInput(f"{text!r} is no user's number")
        return uid, gid

    def group(self, text: str) -> int:
        """The id of a group. Raises InvalidInput."""
        if text.isascii() and text.isdigit():
            return int(text)
        if text not in self.groups:
            raise InvalidInput(f"the image has no group {text!r}")
        return self.groups[text]


def parse_passwd(text: str) -> dict[str, tuple[int, int]]:
    """Users and their primary groups (passwd(5)); lines that can't be read are left out."""
    return {fields[0]: (int(fields[2]), int(fields[3])) for fields in _colon_lines(text, 4)}


def parse_group(text: str) -> dict[str, int]:
    """Groups (group(5)); lines that can't be read are left out."""
    return {fields[0]: int(fields[2]) for fields in _colon_lines(text, 3)}


def _colon_lines(text: str, needed: int) -> Iterable[list[str]]:
    rows = (line.split(":") for line in text.splitlines())
    return (row for row in rows if len(row) >= needed and all(number.isdigit() for number in row[2:needed]))


def owned(inode: Inode, uid: int, gid: int) -> Inode:
    """The same for another owner; as chown(2) a file's set-user-ID bits go with the old one."""
    mode = inode.mode if inode.is_directory else inode.mode & ~0o6000
    return replace(inode, uid=uid, gid=gid, mode=mode)


def parents(path: str) -> Iterator[str]:
    """The directories that `path` is in, the root's left out."""
    parts = path.split("/")[:-1]
    return ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
