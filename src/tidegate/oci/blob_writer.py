"""Writes a blob that arrives in pieces to a file, in threads, and digests it on the way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.base.disk import disk_error
from tidegate.base.errors import Unavailable

_PIECE = 128 * 1024


class BlobWriter:
    """A new file at `path`, which must not exist. Left without `keep`, the file is removed again.

    One writer at a time: its calls are not to overlap. Errors of the disk are raised as Unavailable, a full one with
    the code DISK_FULL.
    """

    def __init__(self, path: Path):
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._writing = threading.Lock()
        self._abandoned = False
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise disk_error(error, path) from error

    @property
    def digest(self) -> str:
        """The digest of what was written; call `flush` first."""
        return f"sha256:{self._digest.hexdigest()}"

    async def write(self, data: bytes) -> None:
        """Take more of the blob; it reaches the file in pieces, small since many uploads may go on at once."""
        self.size += len(data)
        self._pending += data
        if len(self._pending) >= _PIECE:
            await self.flush()

    async def flush(self) -> None:
        """Have everything in the file and in the digest."""
        pending, self._pending = bytes(self._pending), bytearray()
        if pending:
            await asyncio.to_thread(self._append, pending)

    async def keep(self, target: Path) -> None:
        """Make the file durable and give it its name `target`; a file of that name is replaced."""
        await self.flush()
        await asyncio.to_thread(self._settle, target)

    def discard(self) -> None:
        """Close, and remove the file if it was not kept. A thread that is just writing does it when it is done."""
        self._abandoned = True
        if self._writing.acquire(blocking=False):
            try:
                self._file.close()
                self.path.unlink(missing_ok=True)
            finally:
                self._writing.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def _append(self, data: bytes) -> None:
        with self._exclusive():
            self._digest.update(data)
            view = memoryview(data)
            while view:
                view = view[os.write(self._file.fileno(), view) :]

    def _settle(self, target: Path) -> None:
        with self._exclusive():
            os.fsync(self._file.fileno())
            self._file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(target)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Nobody closes the file meanwhile: its descriptor's number could be another file's the next moment."""
        try:
            with self._writing:
                if self._abandoned:
                    raise Unavailable("the blob was given up while it was written")
                yield
        except OSError as error:
            raise disk_error(error, self.path) from error
        finally:
            if self._abandoned:
                self.discard()
