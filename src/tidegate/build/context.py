"""The build context: what of a folder a Dockerfile may copy. Symlinks are never followed by the operating system, so
that nothing outside of the folder can be reached, not even by swapping a directory for a link meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from e2b_dockerfile_utils import PatternMatcher

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound, Where
from tidegate.base.frozen import frozen

ENTRY_LIMIT = 200_000
DEPTH_LIMIT = 200
WILDCARD_LIMIT = 10
"""Wildcards in one pattern: more could keep a regular expression busy for ever."""
SIZE_LIMIT = 4 * 1024**3
IGNORE_LIMIT = 1024 * 1024
_CHUNK = 1024 * 1024
_LINKS = 40
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kind(StrEnum):
    """What a path of the context is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@frozen
class Node:
    """One path of the context; `target` is a symlink's text."""

    path: str
    kind: Kind
    executable: bool = False
    size: int = 0
    target: str = ""


def contained(path: Path, root: Path) -> Path:
    """`path` with its links resolved. Raises InvalidInput where it then lies outside of `root`, NotFound if missing."""
    try:
        resolved, home = path.resolve(strict=True), root.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError, RuntimeError) as error:
        raise NotFound(f"{path} does not exist") from error
    if not resolved.is_relative_to(home):
        raise InvalidInput(f"{path} leads out of {root}")
    return resolved


class Context:
    """A folder's files as COPY sees them, `.dockerignore` applied. Listed once, when asked. For several threads."""

    def __init__(self, root: Path, ignore: PatternMatcher | None = None):
        self._root = root
        self._ignore = ignore
        self._nodes: dict[str, Node] | None = None
        self._listing = threading.Lock()

    @property
    def nodes(self) -> dict[str, Node]:
        """Every path that may be copied, parents first. Raises LimitExceeded past 200 000 of them."""
        with self._listing:
            if self._nodes is None:
                nodes: dict[str, Node] = {}
                descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    self._list(descriptor, "", nodes)
                finally:
                    os.close(descriptor)
                self._nodes = nodes
            return self._nodes

    def _list(self, descriptor: int, folder: str, nodes: dict[str, Node]) -> None:
        with os.scandir(descriptor) as listing:
            found = sorted(listing, key=lambda item: item.name)
        for item in found:
            path = f"{folder}/{item.name}" if folder else item.name
            ignored = self._ignore is not None and self._ignore.matches(path)
            if ignored and not (item.is_dir(follow_symlinks=False) and self._may_return(path)):
                continue
            node = _node(item, path, descriptor)
            if node is None:
                continue
            if len(nodes) >= ENTRY_LIMIT:
                raise LimitExceeded(
                    f"the context has more than {ENTRY_LIMIT} files", remedy="leave some out in .dockerignore"
                )
            if not ignored:
                nodes[path] = node
            if node.kind is Kind.DIRECTORY:
                if path.count("/") >= DEPTH_LIMIT:
                    raise LimitExceeded(f"the context has directories more than {DEPTH_LIMIT} deep")
                inner = os.open(item.name, _DIRECTORY_FLAGS, dir_fd=descriptor)
                try:
                    self._list(inner, path, nodes)
                finally:
                    os.close(inner)

    def _may_return(self, path: str) -> bool:
        return self._ignore is not None and bool(self._ignore.may_match_under(path))

    def find(self, source: str) -> list[Node]:
        """What a COPY source names: one path, or what a pattern (Go's filepath.Match) matches. Raises NotFound."""
        wanted = posixpath.normpath(source.strip("/") or ".")
        if wanted == ".":
            return [Node("", Kind.DIRECTORY)]
        if re.search(r"[*?\[\\]", wanted):
            _check_wildcards(wanted)
            found = [node for path, node in self.nodes.items() if _matches(path, wanted)]
        else:
            node = self._resolve(wanted)
            found = [] if node is None else [node]
        if not found:
            raise NotFound(f"{source} is not in the context, or .dockerignore leaves it out")
        return found

    def _resolve(self, path: str) -> Node | None:
        """The node at `path`, links on the way and at its end taken as in a chroot of the context."""
        here: list[str] = []
        ahead = list(reversed(path.split("/")))
        for _ in range(_LINKS * 10):
            if not ahead:
                return self.nodes.get("/".join(here), Node("", Kind.DIRECTORY) if not here else None)
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                here = here[:-1]
                continue
            node = self.nodes.get("/".join([*here, part]))
            if node is not None and node.kind is Kind.SYMLINK:
                here = [] if node.target.startswith("/") else here
                ahead += list(reversed(node.target.split("/")))
            else:
                here.append(part)
        raise InvalidInput(f"{path} goes through too many links")

    def under(self, folder: str) -> Iterator[Node]:
        """Everything below a folder of the context, parents first."""
        prefix = f"{folder}/" if folder else ""
        return (node for path, node in self.nodes.items() if path.startswith(prefix))

    def read(self, node: Node, limit: int = SIZE_LIMIT) -> Iterator[bytes]:
        """A file's bytes in pieces, each directory on the way opened without following links."""
        parts = node.path.split("/")
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                inner = os.open(part, _DIRECTORY_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            file = os.open(parts[-1], _FILE_FLAGS, dir_fd=descriptor)
        except OSError as error:
            raise InvalidInput(f"{node.path} can't be read: {error.strerror}") from error
        finally:
            os.close(descriptor)
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise InvalidInput(f"{node.path} is no longer a file")
            size = 0
            while piece := opened.read(_CHUNK):
                size += len(piece)
                if size > limit:
                    raise LimitExceeded(f"{node.path} is larger than {limit} bytes")
                yield piece

    def digest(self, node: Node) -> str:
        """The sha256 of a file."""
        total = hashlib.sha256()
        for piece in self.read(node):
            total.update(piece)
        return total.hexdigest()


def _node(item: os.DirEntry[str], path: str, descriptor: int) -> Node | None:
    """None for what no image can hold: sockets, pipes, devices."""
    mode = item.stat(follow_symlinks=False)
    if stat.S_ISLNK(mode.st_mode):
        return Node(path, Kind.SYMLINK, target=os.readlink(item.name, dir_fd=descriptor))
    if stat.S_ISDIR(mode.st_mode):
        return Node(path, Kind.DIRECTORY)
    if stat.S_ISREG(mode.st_mode):
        return Node(path, Kind.FILE, executable=bool(mode.st_mode & 0o100), size=mode.st_size)
    return None


def _check_wildcards(pattern: str) -> None:
    if pattern.count("*") > WILDCARD_LIMIT and not pattern.startswith("#"):
        raise LimitExceeded(f"the pattern {pattern[:100]!r} has more than {WILDCARD_LIMIT} wildcards")


def _matches(path: str, pattern: str) -> bool:
    """Go's filepath.Match: `*` and `?` stay within one part of the path."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(
        re.fullmatch(go_pattern(wanted), part) for part, wanted in zip(parts, patterns, strict=True)
    )


def go_pattern(pattern: str) -> str:
    """The regular expression of one part of a pattern of Go's filepath.Match."""
    expression, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            expression += re.escape(pattern[at])
        elif char == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            inner = pattern[at + 1 : end].replace("[", "\\[")
            expression += f"[{inner}]"
            at = end
        else:
            expression += {"*": ".*", "?": "."}.get(char, re.escape(char))
        at += 1
    return expression


def read_ignore(context: Path, dockerfile: Path) -> PatternMatcher | None:
    """The patterns of `NAME.dockerignore` beside the Dockerfile, else of the context's `.dockerignore`, if any."""
    for path in (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore"):
        try:
            descriptor = os.open(path, _FILE_FLAGS)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(IGNORE_LIMIT + 1)
        if len(data) > IGNORE_LIMIT:
            raise LimitExceeded(f"{path.name} is larger than {IGNORE_LIMIT} bytes")
        try:
            patterns = data.decode("utf-8-sig").splitlines()
            for pattern in patterns:
                _check_wildcards(pattern)
            return PatternMatcher(patterns)
        except ValueError as error:
            raise InvalidInput(str(error), where=Where(path.name)) from error
    return None
