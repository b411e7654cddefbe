"""Reads what the files of an image are made of: from the context, from layers, from memory. Blocks."""

from __future__ import annotations

import hashlib
import io
import secrets
import tarfile
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.build.context import SIZE_LIMIT, Context, Node
from tidegate.build.filesystem import Accounts, Changes, Content, Filesystem, InLayer, parse_group, parse_passwd
from tidegate.oci.layers import Entry, whiteout

_IN_MEMORY = 256 * 1024
_ALL_IN_MEMORY = 32 * 1024 * 1024
_PIECE = 1024 * 1024
ACCOUNTS_LIMIT = 4 * 1024 * 1024


def content_of(data: bytes) -> Content:
    """Bytes as a content."""
    return Content(hashlib.sha256(data).hexdigest(), len(data), data)


class _Budget:
    """How much of what is fetched at once may stay in memory."""

    def __init__(self, left: int):
        self._left = left

    def holds(self, size: int) -> bool:
        fits = size <= min(_IN_MEMORY, self._left)
        self._left -= size if fits else 0
        return fits


class Contents:
    """Contents of one build, each with the digest that it was first seen with. For several threads at once."""

    def __init__(self, context: Context, scratch: Path):
        self.context = context
        self._scratch = scratch
        self._seen: dict[str, Content] = {}
        self._size = 0
        self._reading = threading.Lock()

    def of_node(self, node: Node) -> Content:
        """A file of the context, read once for its digest. Raises LimitExceeded past 4 GiB in all."""
        with self._reading:
            if node.path not in self._seen:
                self._size += node.size
                if self._size > SIZE_LIMIT:
                    remedy = "leave some out in .dockerignore"
                    raise LimitExceeded(f"more than {SIZE_LIMIT} bytes would be copied", remedy=remedy)
                self._seen[node.path] = Content(self.context.digest(node), node.size, node)
            return self._seen[node.path]

    def read(self, content: Content, limit: int) -> bytes:
        """All the bytes. Raises LimitExceeded past `limit` of them, InvalidInput where they are others now."""
        if content.size > limit:
            raise LimitExceeded(f"a file of {content.size} bytes is larger than {limit}")
        found = self.fetch([content])[content.digest]
        return found if isinstance(found, bytes) else found.read_bytes()

    def head(self, content: Content, size: int) -> bytes:
        """The first bytes."""
        if isinstance(content.place, Node):
            return next(iter(self.context.read(content.place)), b"")[:size]
        found = self.fetch([content])[content.digest]
        if isinstance(found, bytes):
            return found[:size]
        with found.open("rb") as file:
            return file.read(size)

    def as_file(self, content: Content) -> Path:
        """The bytes in a file that stays as long as the build."""
        found = self.fetch([content])[content.digest]
        if isinstance(found, Path):
            return found
        target = self._scratch / f"copy-{secrets.token_hex(8)}"
        target.write_bytes(found)
        return target

    def fetch(self, contents: Iterable[Content]) -> dict[str, bytes | Path]:
        """The bytes of each, by digest; big ones in a file of their own. Each layer is read once.

        Raises InvalidInput where something was changed meanwhile.
        """
        found: dict[str, bytes | Path] = {}
        layers: dict[Path, dict[str, Content]] = {}
        budget = _Budget(_ALL_IN_MEMORY)
        for content in contents:
            place = content.place
            if content.digest in found:
                continue
            if isinstance(place, InLayer):
                layers.setdefault(place.blob, {})[place.member] = content
            elif isinstance(place, Node):
                copied = self._copied(content, self.context.read(place), budget)
                if copied is None:
                    raise InvalidInput(f"{place.path} was changed while it was built", remedy="build again")
                found[content.digest] = copied
            else:
                found[content.digest] = place
        for blob, members in layers.items():
            self._fetch_from_layer(blob, members, found, budget)
        return found

    def _fetch_from_layer(
        self, blob: Path, members: dict[str, Content], found: dict[str, bytes | Path], budget: _Budget
    ) -> None:
        wanted = {member: content for member, content in members.items() if content.digest not in found}
        with tarfile.open(blob, mode="r|*") as tar:
            while wanted and (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # a stream is never rewound
                content = wanted.get(member.name) if member.isreg() else None
                source = None if content is None else tar.extractfile(member)
                if content is not None and source is not None:
                    pieces = iter(partial(source.read, _PIECE), b"")
                    copied = self._copied(content, pieces, budget)
                    if copied is not None:  # else an earlier entry of that name, which a later one replaces
                        found[content.digest] = copied
                        del wanted[member.name]
        if wanted:
            raise InvalidInput(f"the layer {blob.name} has no {next(iter(wanted))} any more", remedy="build again")

    def _copied(self, content: Content, pieces: Iterable[bytes], budget: _Budget) -> bytes | Path | None:
        """None where the bytes are not those that were seen first."""
        target = self._scratch / f"copy-{secrets.token_hex(8)}"
        total = hashlib.sha256()
        copy: BinaryIO = io.BytesIO() if budget.holds(content.size) else target.open("xb")
        with copy:
            for piece in pieces:
                total.update(piece)
                copy.write(piece)
            small = copy.getvalue() if isinstance(copy, io.BytesIO) else None
        if total.hexdigest() != content.digest:
            return None
        return target if small is None else small

    def accounts(self, files: Filesystem) -> Accounts:
        """Who the image knows."""
        return Accounts(
            parse_passwd(self.text(files, "etc/passwd")),
            parse_group(self.text(files, "etc/group")),
        )

    def text(self, files: Filesystem, path: str) -> str:
        """A small file of the image; empty where there is none."""
        node = files.find(path)
        if node is None or node.content is None:
            return ""
        return self.read(node.content, ACCOUNTS_LIMIT).decode("utf-8", "surrogateescape")

    def entries(self, changes: Changes) -> list[Entry]:
        """The entries of the layer that brings `changes`."""
        files = [inode.content for inode in changes.values() if inode is not None and inode.content is not None]
        data = self.fetch(files)
        return [
            whiteout(path)
            if inode is None
            else Entry(
                path,
                inode.kind,
                inode.mode,
                b"" if inode.content is None else data[inode.content.digest],
                inode.target,
                inode.uid,
                inode.gid,
                inode.mtime,
            )
            for path, inode in changes.items()
        ]
