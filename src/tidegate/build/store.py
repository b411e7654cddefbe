"""The builds' cache on disk: blobs by digest, and records by what they were made from.

Everything appears whole or not at all, and everything can be made again: a torn or foreign entry counts as missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tidegate.oci.unpack import remove_tree
from tidegate.oci.values import Descriptor, check_digest, digest_of

Record = dict[str, Any]


def key_of(value: Mapping[str, Any]) -> str:
    """The key of what `value` describes: the sha256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class BuildStore:
    """Blobs and records below one folder. Any number of processes may use it at once."""

    def __init__(self, root: Path):
        self.root = root
        self._blobs = root / "blobs" / "sha256"

    def blob_path(self, digest: str) -> Path:
        """Where the blob of that digest is, or would be."""
        return self._blobs / check_digest(digest).removeprefix("sha256:")

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there, whole and with the bytes of its digest; one with others is removed. That it is
        used is noted in its time of access.

        Its bytes are read once for as long as its file stays the same. Blocks.
        """
        path = self.blob_path(descriptor.digest)
        try:
            status = path.stat()
            stamp = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
            if status.st_size != descriptor.size:
                return False
            if not self._is_known(descriptor.digest, stamp):
                if _digest_of_file(path) != descriptor.digest:
                    path.unlink(missing_ok=True)
                    return False
                write_whole(self._stamp_path(descriptor.digest), stamp.encode())
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
        except FileNotFoundError:
            return False
        return True

    def _is_known(self, digest: str, stamp: str) -> bool:
        try:
            return self._stamp_path(digest).read_text() == stamp
        except (FileNotFoundError, UnicodeDecodeError):
            return False

    def _stamp_path(self, digest: str) -> Path:
        return self.root / "verified" / digest.removeprefix("sha256:")

    def read_blob(self, digest: str) -> bytes:
        """A small blob's bytes, such as a manifest's."""
        return self.blob_path(digest).read_bytes()

    def put_blob(self, data: bytes) -> str:
        """Keep `data` and give its digest."""
        digest = digest_of(data)
        if not self.has_blob(Descriptor("application/octet-stream", digest, len(data))):
            write_whole(self.blob_path(digest), data)
        return digest

    def adopt_blob(self, path: Path, digest: str) -> Path:
        """Move a finished file of this store's file system to its place; `path` is gone afterwards."""
        target = self.blob_path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        return target

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for work in progress, on the same file system as the blobs; what killed builds left goes too."""
        folder = self.root / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            for left in folder.iterdir():
                _remove_if_free(left)
            mine = Path(tempfile.mkdtemp(dir=folder))
            descriptor = os.open(mine, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield mine
        finally:
            remove_tree(mine)
            os.close(descriptor)

    def folder(self, name: str) -> Path:
        """A folder of the cache that a tool keeps by itself."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def record(self, kind: str, key: str) -> Record | None:
        """What is remembered under `kind` and `key`; None where nothing is, or nothing readable."""
        try:
            value = json.loads(self._record_path(kind, key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def remember(self, kind: str, key: str, value: Record) -> None:
        """Remember `value`; the last writer wins."""
        write_whole(self._record_path(kind, key), json.dumps(value, separators=(",", ":")).encode())

    def _record_path(self, kind: str, key: str) -> Path:
        return self.root / kind / f"{key}.json"


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_if_free(folder: Path) -> None:
    """A build holds its folder's lock as long as it lives, and the kernel gives it back for a killed one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(folder)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def write_whole(target: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that it is seen whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
