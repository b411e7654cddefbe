"""The Tags port in files: one small file per image, written whole and rebuilt by any scan.

Its first line says what follows. A file that holds something else (a power cut, somebody's editor) counts as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import le
from pathlib import Path

from tidegate.base.disk import disk_error
from tidegate.base.threads import in_thread
from tidegate.engine.ports import TagsLost

FORMAT = "tidegate-tags-1"
HEAD_LIMIT = 200
_NEW = ".new"
BLOCK = 1_000
SMALL = 16 * 1024
"""Bytes of tags that are read and written without a thread."""


class FileTags:
    """Tags below `root`, a file named by the checksum of its image's name."""

    def __init__(self, root: Path):
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(f"*{_NEW}"):  # by a process that was killed
            left.unlink(missing_ok=True)

    async def put(self, repository: str, tags: Sequence[str]) -> str:
        """Keep `tags`; the answer is their checksum, an Adler-32 as in Flux's `lastScanResult.revision`. Unavailable
        where the disk does not take them.
        """
        if len(tags) * 16 < SMALL:
            return self._put(repository, tags)
        return await in_thread(self._put, repository, tags)

    async def get(self, repository: str) -> list[str]:
        """The tags as last put, sorted; TagsLost."""
        if _size(self._path(repository)) < SMALL:
            return self._get(repository)
        return await asyncio.to_thread(self._get, repository)

    async def lines(self, repository: str, revision: str) -> str:
        """The tags as last put, a line for each; TagsLost, also where they have not the checksum `revision`."""
        if _size(self._path(repository)) < SMALL:
            return self._lines(repository, revision)
        return await asyncio.to_thread(self._lines, repository, revision)

    async def delete(self, repository: str) -> None:
        """Forget the tags; nothing happens where there are none."""
        self._path(repository).unlink(missing_ok=True)

    def _get(self, repository: str) -> list[str]:
        tags = self._lines(repository).split("\n")
        tags.pop()
        return tags

    def _lines(self, repository: str, revision: str | None = None) -> str:
        content = _verified(self._path(repository))
        if content is None or (revision is not None and revision != _adler([content[:-1]])):
            raise TagsLost(f"no tags of {repository} are stored", remedy="they come with the next scan")
        return content.decode()

    def _put(self, repository: str, tags: Sequence[str]) -> str:
        blocks, path = _blocks_in_order(tags), self._path(repository)
        head = _head(blocks)
        if not _holds(path, head):
            _write(path, [head], blocks)
        return _adler([*blocks[:-1], *(last[:-1] for last in blocks[-1:])])

    def _path(self, repository: str) -> Path:
        return self._root / hashlib.sha256(repository.encode()).hexdigest()


def checksum(tags: Sequence[str]) -> str:
    """A checksum of the tags that does not depend on their order: Flux's, of the lines without the last one's end."""
    return checksum_in_order(in_order(tags))


def checksum_in_order(tags: Sequence[str]) -> str:
    """As `checksum`, of tags that are sorted."""
    return _adler(_blocks(tags))


def in_order(tags: Sequence[str]) -> Sequence[str]:
    """The tags sorted; those that are come back as they are, since a copy of 100 000 is a megabyte."""
    return tags if is_in_order(tags) else sorted(tags)


def is_in_order(tags: Sequence[str]) -> bool:
    """Whether tags are sorted."""
    return all(map(le, tags, islice(tags, 1, None)))


def _blocks_in_order(tags: Sequence[str]) -> list[bytes]:
    """A line for each tag, sorted. Each tag is looked at once: 100 000 lie too far apart for a processor's cache."""
    blocks, last = [], ""
    for start in range(0, len(tags), BLOCK):
        block = tags[start : start + BLOCK]
        if last > block[0] or not is_in_order(block):
            return _blocks_in_order(sorted(tags))
        last = block[-1]
        blocks.append("\n".join([*block, ""]).encode())
    return blocks


def _blocks(tags: Sequence[str]) -> Iterator[bytes]:
    """A line for each tag, some at a time: the whole text is not needed in memory. The last one lacks its end."""
    for start in range(0, len(tags), BLOCK):
        end = start + BLOCK < len(tags)
        yield "\n".join([*tags[start : start + BLOCK], *([""] if end else [])]).encode()


def _adler(pieces: Iterable[bytes]) -> str:
    value = 1
    for piece in pieces:
        value = zlib.adler32(piece, value)
    return str(value)


def _head(pieces: Iterable[bytes]) -> bytes:
    """The first line of a file that holds these pieces."""
    content = hashlib.sha256()
    for piece in pieces:
        content.update(piece)
    return f"{FORMAT} {content.hexdigest()}\n".encode()


def _holds(path: Path, head: bytes) -> bool:
    """Whether a file has this first line, and below it what that says."""
    return _verified(path, head) is not None


def _verified(path: Path, wanted: bytes | None = None) -> bytes | None:
    """The lines below the first one, where that says the same of them and is the one that is `wanted`, if any is."""
    try:
        with path.open("rb") as file:
            head = file.readline(HEAD_LIMIT)
            if wanted is not None and head != wanted:
                return None
            content = file.read()
    except OSError:
        return None
    return content if head == _head([content]) else None


def _write(path: Path, *pieces: Iterable[bytes]) -> None:
    """Aside under a name of its own, since two objects may have the same image, and then in place."""
    temporary = path.with_suffix(f".{secrets.token_hex(8)}{_NEW}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            for some in pieces:
                file.writelines(some)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise disk_error(error, path) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
