"""Uploads that are under way: each belongs to one repository, takes bytes in order, and expires when nobody goes on."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tidegate.base.errors import TidegateError
from tidegate.oci.blob_writer import BlobWriter
from tidegate.oci.blobs import BlobStore
from tidegate.serve.registry_http import RegistryError

BLOB_LIMIT = 10 * 1024**3
"""Bytes of one blob."""
LIFETIME = 3600.0
"""Seconds after which an upload is given up that nobody went on with."""
SESSIONS = 64
SWALLOW_LIMIT = 256 * 1024**2
"""Bytes that are still read of a body after it was refused."""
SWALLOW_TIMEOUT = 30.0
"""Seconds for that."""


@dataclass(slots=True)
class Upload:
    """One upload; `lock` is held while a request feeds it."""

    id: str
    repository: str
    writer: BlobWriter
    used: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Uploads:
    """The uploads of one store, in memory: a restart ends them, and clients begin again."""

    def __init__(self, blobs: BlobStore, monotonic: Callable[[], float] = time.monotonic):
        self._blobs = blobs
        self._monotonic = monotonic
        self._sessions: dict[str, Upload] = {}

    def start(self, repository: str) -> Upload:
        """A new upload. Raises RegistryError where too many are open."""
        self._expire()
        if len(self._sessions) >= SESSIONS:
            message = f"{SESSIONS} uploads are under way already"
            raise RegistryError(429, "TOOMANYREQUESTS", message, {"Retry-After": "5"})
        upload = Upload(secrets.token_hex(16), repository, self._blobs.new_upload(), self._monotonic())
        self._sessions[upload.id] = upload
        return upload

    def get(self, repository: str, session: str) -> Upload:
        """The upload of that id, which must be one to this repository. Raises RegistryError."""
        self._expire()
        upload = self._sessions.get(session)
        if upload is None or upload.repository != repository:
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", "no such upload is under way; it may have expired")
        upload.used = self._monotonic()
        return upload

    async def feed(self, upload: Upload, body: AsyncIterator[bytes], start: int | None = None) -> None:
        """Append a request's body, which begins at `start`.

        What has arrived stays when the client goes away, so that it can go on; after an error of the disk nothing does.
        """
        if upload.lock.locked():
            raise RegistryError(409, "BLOB_UPLOAD_INVALID", "another request is feeding this upload")
        async with upload.lock:
            if start is not None and start != upload.writer.size:
                message = f"the upload has {upload.writer.size} bytes, and the request goes on at {start}"
                raise RegistryError(416, "BLOB_UPLOAD_INVALID", message, {"Range": range_of(upload)})
            try:
                async for chunk in body:
                    if upload.writer.size + len(chunk) > BLOB_LIMIT:
                        raise RegistryError(413, "SIZE_INVALID", f"a blob may have {BLOB_LIMIT} bytes")
                    await upload.writer.write(chunk)
                    upload.used = self._monotonic()
            except TidegateError:
                self.drop(upload)
                await _swallow(body)
                raise
            finally:
                await self._settle(upload)

    async def finish(self, upload: Upload, digest: str) -> None:
        """Make the upload the blob `digest`. Raises RegistryError where its bytes have another digest."""
        async with upload.lock:
            try:
                await upload.writer.flush()
                if upload.writer.digest != digest:
                    message = f"the bytes have the digest {upload.writer.digest}, not {digest}"
                    raise RegistryError(400, "DIGEST_INVALID", message)
                await self._blobs.keep_blob(upload.repository, upload.writer)
            finally:
                self.drop(upload)

    def drop(self, upload: Upload) -> None:
        """End an upload and remove what it left."""
        self._sessions.pop(upload.id, None)
        upload.writer.discard()

    def close(self) -> None:
        """End every upload, as the process is about to."""
        for upload in list(self._sessions.values()):
            self.drop(upload)

    async def _settle(self, upload: Upload) -> None:
        """Hold no bytes in memory between requests; what can't be written ends the upload."""
        if upload.id not in self._sessions:
            return
        try:
            await upload.writer.flush()
        except BaseException:
            self.drop(upload)
            raise

    def _expire(self) -> None:
        oldest = self._monotonic() - LIFETIME
        for upload in [one for one in self._sessions.values() if one.used < oldest and not one.lock.locked()]:
            self.drop(upload)


async def _swallow(body: AsyncIterator[bytes]) -> None:
    """Take the rest of a body that is refused, within bounds: a client that still sends when the connection ends never
    sees the answer.
    """
    left = SWALLOW_LIMIT
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SWALLOW_TIMEOUT):
            async for chunk in body:
                left -= len(chunk)
                if left < 0:
                    return


def range_of(upload: Upload) -> str:
    """The `Range` header of an upload: `0-` and the last byte that has arrived."""
    return f"0-{max(upload.writer.size - 1, 0)}"
