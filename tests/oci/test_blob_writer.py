"""A blob that arrives in pieces is written in threads, and leaves nothing when it is given up."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from tidegate.base.errors import Unavailable
from tidegate.oci.blob_writer import BlobWriter
from tidegate.oci.values import digest_of

PIECE = 1024 * 1024


async def test_kept_blob_has_its_bytes_digest_and_size(tmp_path: Path) -> None:
    data = os.urandom(2 * PIECE + 5)
    async with BlobWriter(tmp_path / "part") as writer:
        for start in range(0, len(data), 300_000):
            await writer.write(data[start : start + 300_000])
        await writer.flush()
        assert (writer.size, writer.digest) == (len(data), digest_of(data))
        await writer.keep(tmp_path / "deep" / "blob")
    assert (tmp_path / "deep" / "blob").read_bytes() == data
    assert not (tmp_path / "part").exists()


async def test_blob_that_was_not_kept_is_removed(tmp_path: Path) -> None:
    async with BlobWriter(tmp_path / "part") as writer:
        await writer.write(b"x" * PIECE)
        assert (tmp_path / "part").stat().st_size == PIECE
    assert list(tmp_path.iterdir()) == []


async def test_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("1")
    with pytest.raises(Unavailable):
        BlobWriter(tmp_path / "part")
    assert (tmp_path / "part").read_text() == "1"


async def test_giving_up_during_a_write_waits_for_nobody_and_closes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    write = os.write

    def slow(descriptor: int, data: memoryview) -> int:
        entered.set()
        go_on.wait(10)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", slow)
    writer = BlobWriter(tmp_path / "part")
    writing = asyncio.ensure_future(writer.write(b"x" * PIECE))
    await asyncio.to_thread(entered.wait, 10)
    writer.discard()
    before = writer._file.closed
    go_on.set()
    await writing
    assert (before, writer._file.closed, list(tmp_path.iterdir())) == (False, True, [])
    monkeypatch.undo()
    with pytest.raises(Unavailable, match="given up"):
        await writer.write(b"x" * PIECE)
