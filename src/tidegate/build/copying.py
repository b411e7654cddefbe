"""COPY and ADD: which files of the context become which entries of a layer. Follows BuildKit's rules."""

from __future__ import annotations

import hashlib
import io
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.build.context import SIZE_LIMIT, Context, Kind, Node
from tidegate.build.plan import Copy
from tidegate.build.store import key_of
from tidegate.build.tree import Tree
from tidegate.oci.layers import Entry, EntryKind

_IN_MEMORY = 256 * 1024
_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


@frozen
class Placed:
    """One thing to be put at `path`; `node` is the file it comes from, None for a directory that is only needed."""

    path: str
    node: Node | None
    mode: int
    uid: int
    gid: int

    @property
    def kind(self) -> EntryKind:
        """The entry's kind."""
        return EntryKind.DIRECTORY if self.node is None else EntryKind(self.node.kind)


def place(step: Copy, context: Context, tree: Tree) -> list[Placed]:
    """Where everything that `step` copies goes; `tree` knows of it afterwards. Raises InvalidInput or NotFound."""
    try:
        uid, gid = tree.owner(step.owner) if step.owner else (0, 0)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    nodes = [node for source in step.sources for node in context.find(source)]
    target = tree.resolve(step.destination)
    wants_folder = step.destination.endswith("/")
    if len(nodes) > 1 and not wants_folder and not tree.is_directory(target):
        raise InvalidInput("several files can only be copied to a directory", remedy="end the destination with /")
    into = wants_folder or tree.is_directory(target)
    copier = _Copier(step, tree, uid, gid)
    for node in nodes:
        if node.kind is Kind.DIRECTORY:
            copier.folder(target)
            for inner in context.under(node.path):
                copier.put(inner, f"{target}/{inner.path[len(node.path) :].lstrip('/')}".lstrip("/"))
        else:
            name = node.path.rpartition("/")[2]
            copier.put(node, f"{target}/{name}".lstrip("/") if into else target)
    return list(copier.placed.values())


class _Copier:
    """Collects what goes where; a later source replaces an earlier one."""

    def __init__(self, step: Copy, tree: Tree, uid: int, gid: int):
        self.placed: dict[str, Placed] = {}
        self._step, self._tree, self._uid, self._gid = step, tree, uid, gid

    def folder(self, path: str, mode: int = 0o755) -> None:
        """A directory and its parents, as far as they are missing; `mode` is the last one's."""
        for missing in self._tree.missing(path):
            self.placed[missing] = Placed(missing, None, mode if missing == path else 0o755, self._uid, self._gid)

    def put(self, node: Node, path: str) -> None:
        resolved = self._tree.resolve(path.rpartition("/")[0])
        name = path.rpartition("/")[2]
        if node.kind is Kind.DIRECTORY:
            self.folder(self._tree.resolve(path), 0o755 if self._step.mode is None else self._step.mode)
            return
        self.folder(resolved)
        target = f"{resolved}/{name}".lstrip("/")
        if not target or self._tree.is_directory(target):
            raise InvalidInput(f"{node.path} can't replace the directory /{target}")
        mode = self._step.mode if self._step.mode is not None else 0o755 if node.executable else 0o644
        self.placed[target] = Placed(target, node, mode, self._uid, self._gid)
        if node.kind is Kind.SYMLINK:
            self._tree.links[target] = node.target
        else:
            self._tree.links.pop(target, None)


class Snapshot:
    """The context's contents as they were first read in this build: digests, and the bytes behind them.

    For several threads at once.
    """

    def __init__(self, context: Context, scratch: Path):
        self.context = context
        self._scratch = scratch
        self._digests: dict[str, str] = {}
        self._size = 0
        self._reading = threading.Lock()

    def digest(self, node: Node) -> str:
        """The sha256 of a file, read once. Raises LimitExceeded past 4 GiB in all."""
        with self._reading:
            if node.path not in self._digests:
                self._size += node.size
                if self._size > SIZE_LIMIT:
                    remedy = "leave some out in .dockerignore"
                    raise LimitExceeded(f"more than {SIZE_LIMIT} bytes would be copied", remedy=remedy)
                self._digests[node.path] = self.context.digest(node)
            return self._digests[node.path]

    def content(self, node: Node) -> bytes | Path:
        """The bytes that have the digest; a big file's in a copy. Raises InvalidInput where it has changed since."""
        wanted, total = self.digest(node), hashlib.sha256()
        target = self._scratch / f"copy-{secrets.token_hex(8)}"
        with target.open("xb") if node.size > _IN_MEMORY else io.BytesIO() as copy:
            for piece in self.context.read(node):
                total.update(piece)
                copy.write(piece)
            small = copy.getvalue() if isinstance(copy, io.BytesIO) else None
        if total.hexdigest() != wanted:
            raise InvalidInput(f"{node.path} was changed while it was built", remedy="build again")
        return target if small is None else small


def layer_key(placed: list[Placed], snapshot: Snapshot, mtime: int) -> str:
    """The key of the layer that `placed` comes to: what is read, and where it goes; nothing else."""
    rows: list[Any] = []
    for one in sorted(placed, key=lambda item: item.path):
        content = ""
        if one.node is not None:
            content = one.node.target if one.node.kind is Kind.SYMLINK else snapshot.digest(one.node)
        rows.append([one.path, str(one.kind), one.mode, one.uid, one.gid, content])
    return key_of({"copy": 1, "mtime": mtime, "entries": rows})


def entries(placed: list[Placed], snapshot: Snapshot) -> Iterator[Entry]:
    """The layer's entries."""
    for one in placed:
        if one.node is None:
            yield Entry(one.path, EntryKind.DIRECTORY, one.mode, uid=one.uid, gid=one.gid)
        elif one.node.kind is Kind.SYMLINK:
            yield Entry(one.path, EntryKind.SYMLINK, 0o777, target=one.node.target, uid=one.uid, gid=one.gid)
        else:
            content = snapshot.content(one.node)
            yield Entry(one.path, EntryKind.FILE, one.mode, content=content, uid=one.uid, gid=one.gid)


def refuse_archives(step: Copy, placed: list[Placed], context: Context) -> None:
    """ADD unpacks a local archive, which is not built natively yet. Raises InvalidInput."""
    for one in placed if step.adds else ():
        if one.node is not None and one.node.kind is Kind.FILE:
            head = next(iter(context.read(one.node)), b"")
            if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
                raise InvalidInput(
                    f"ADD of the archive {one.node.path}, which it would unpack, is not built natively yet"
                )
