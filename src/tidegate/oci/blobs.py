"""A registry's content on disk: blobs by digest, and for each repository its manifests, tags and known blobs.

Plain files, each written aside and renamed, so that a kill at any moment leaves nothing half. Every call blocks for a
few file operations; names and digests are checked here, so that none reaches outside of the root.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

from tidegate.base.disk import disk_error
from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.oci.blob_writer import BlobWriter
from tidegate.oci.tag_folder import TagFolders, names_in
from tidegate.oci.values import (
    FOREIGN_LAYER_PREFIXES,
    INDEX_TYPES,
    Descriptor,
    Index,
    Manifest,
    check_digest,
    digest_of,
    is_digest,
)

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_NAME_LIMIT = 255


@frozen
class StoredManifest:
    """A manifest or index as it was pushed."""

    digest: str
    media_type: str
    data: bytes


class BlobUnknown(InvalidInput):
    """A manifest names content that the repository does not have."""

    code = "BlobUnknown"


class BlobStore:
    """The content under `root`. One process at a time: what an earlier one left half-uploaded is removed at the start.

    `lock` is held by every change of a manifest and by a sweep, so that neither sees half of the other.
    """

    def __init__(self, root: Path):
        self._root = root
        self._uploads = root / "uploads"
        self.lock = threading.RLock()
        self._tag_folders = TagFolders()
        shutil.rmtree(self._uploads, ignore_errors=True)
        for folder in (self._uploads, root / "blobs" / "sha256", root / "repositories"):
            folder.mkdir(parents=True, exist_ok=True)

    def new_upload(self) -> BlobWriter:
        """A writer for a blob that is about to arrive; give it to `keep_blob`, or discard it."""
        return BlobWriter(self._uploads / secrets.token_hex(16))

    async def keep_blob(self, repository: str, writer: BlobWriter) -> str:
        """Make an upload a blob of the repository; its digest. The caller has compared that."""
        folder = self._repository(repository)
        await writer.flush()
        digest = writer.digest
        await writer.keep(self.blob_path(digest))
        _write(folder / "_blobs" / _hex(digest), b"")
        reach(Step.BLOB_STORED)
        return digest

    def blob_path(self, digest: str) -> Path:
        """Where a blob lies, or would."""
        name = _hex(digest)
        return self._root / "blobs" / "sha256" / name[:2] / name

    def blob_size(self, repository: str, digest: str) -> int | None:
        """The size of a blob that the repository has, else None."""
        if not (self._repository(repository) / "_blobs" / _hex(digest)).exists():
            return None
        try:
            return self.blob_path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def touch_blob(self, digest: str) -> None:
        """Make a blob young again: whoever was told that it is here may rely on that for a sweep's age."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.blob_path(digest))

    def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Let the repository have a blob of `source`; False where that has none."""
        with self.lock:
            if self.blob_size(source, digest) is None:
                return False
            self.touch_blob(digest)
            _write(self._repository(repository) / "_blobs" / _hex(digest), b"")
        return True

    def put_manifest(self, repository: str, media_type: str, data: bytes) -> Manifest | Index:
        """Store a manifest or index under its digest.

        Raises InvalidInput where it is none, and BlobUnknown where what it names is not in the repository.
        """
        folder = self._repository(repository)
        index = media_type in INDEX_TYPES
        document = Index.from_bytes(data, media_type) if index else Manifest.from_bytes(data, media_type)
        digest = digest_of(data)
        with self.lock:
            self._check_content(repository, document)
            _write(self.blob_path(digest), data)
            if document.subject is not None:
                _write(folder / "_referrers" / _hex(document.subject.digest) / _hex(digest), b"")
            _write(folder / "_manifests" / _hex(digest), document.media_type.encode())
        reach(Step.MANIFEST_STORED)
        return document

    def manifest(self, repository: str, reference: str) -> StoredManifest:
        """A manifest by tag or digest. Raises NotFound."""
        digest = reference if is_digest(reference) else self.tag(repository, reference)
        try:
            media_type = (self._repository(repository) / "_manifests" / _hex(digest)).read_text()
            return StoredManifest(digest, media_type, self.blob_path(digest).read_bytes())
        except FileNotFoundError:
            raise NotFound(f"{repository} has no manifest {reference}") from None

    def manifests(self, repository: str) -> list[str]:
        """The digests of every manifest of a repository, sorted."""
        return [f"sha256:{name}" for name in _names(self._repository(repository) / "_manifests")]

    def tag(self, repository: str, tag: str) -> str:
        """The digest that a tag points to. Raises NotFound."""
        try:
            return check_digest((self._repository(repository) / "_tags" / check_tag(tag)).read_text())
        except FileNotFoundError:
            raise NotFound(f"{repository} has no tag {tag}") from None

    def set_tag(self, repository: str, tag: str, digest: str) -> None:
        """Point a tag to a manifest that is there."""
        with self.lock:
            if not (self._repository(repository) / "_manifests" / _hex(digest)).exists():
                raise NotFound(f"{repository} has no manifest {digest}")
            _write(self._repository(repository) / "_tags" / check_tag(tag), digest.encode())
        reach(Step.TAG_SET)

    def tags(self, repository: str) -> list[str]:
        """Every tag, sorted. Raises NotFound for a repository that is not there."""
        return _names(self._tags(repository))

    def tags_page(self, repository: str, after: str | None, most: int) -> tuple[list[str], bool]:
        """The first `most` tags after `after`, sorted, and whether more follow. Raises NotFound."""
        return self._tag_folders.page(self._tags(repository), after, most)

    def delete_tag(self, repository: str, tag: str) -> None:
        """Take a tag away; its manifest stays. Raises NotFound."""
        self.tag(repository, tag)
        (self._repository(repository) / "_tags" / check_tag(tag)).unlink(missing_ok=True)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Take a manifest away with every tag that points to it; its blobs are left to a sweep. Raises NotFound."""
        with self.lock:
            stored = self.manifest(repository, digest)
            folder = self._repository(repository)
            for tag in _names(folder / "_tags"):
                if self.tag(repository, tag) == digest:
                    self.delete_tag(repository, tag)
            subject = read_document(stored).subject
            if subject is not None:
                (folder / "_referrers" / _hex(subject.digest) / _hex(digest)).unlink(missing_ok=True)
            (folder / "_manifests" / _hex(digest)).unlink(missing_ok=True)

    def delete_blob(self, repository: str, digest: str) -> None:
        """Take a blob out of a repository; its bytes are left to a sweep. Raises NotFound."""
        if self.blob_size(repository, digest) is None:
            raise NotFound(f"{repository} has no blob {digest}")
        (self._repository(repository) / "_blobs" / _hex(digest)).unlink(missing_ok=True)

    def referrers(self, repository: str, digest: str) -> list[Descriptor]:
        """The manifests whose subject is `digest`, as OCI's referrers API describes them."""
        folder = self._repository(repository) / "_referrers" / _hex(digest)
        found = []
        for name in _names(folder):
            with contextlib.suppress(NotFound):
                found.append(_described(self.manifest(repository, f"sha256:{name}")))
        return found

    def repositories(self) -> list[str]:
        """Every repository that has a manifest or a blob, sorted."""
        root = self._root / "repositories"
        found = []
        for path, folders, _ in os.walk(root):
            if any(name.startswith("_") for name in folders):
                found.append(Path(path).relative_to(root).as_posix())
            folders[:] = [name for name in folders if not name.startswith("_")]
        return sorted(found)

    def blobs(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every blob's digest, manifests among them, with its file's state."""
        for shard in sorted((self._root / "blobs" / "sha256").iterdir()):
            for name in _names(shard):
                with contextlib.suppress(FileNotFoundError):
                    yield f"sha256:{name}", (shard / name).stat()

    def remove_blobs(self, digests: Collection[str]) -> None:
        """Remove the bytes of blobs for every repository. For the sweep, which knows that nothing needs them."""
        for repository in self.repositories():
            known = self._repository(repository) / "_blobs"
            for name in set(_names(known)) & {_hex(digest) for digest in digests}:
                (known / name).unlink(missing_ok=True)
        for digest in digests:
            self.blob_path(digest).unlink(missing_ok=True)

    def _check_content(self, repository: str, document: Manifest | Index) -> None:
        if isinstance(document, Index):
            folder = self._repository(repository) / "_manifests"
            missing = [one.digest for one in document.manifests if not (folder / _hex(one.digest)).exists()]
            if missing:
                raise BlobUnknown(f"the index names the manifest {missing[0]}, which {repository} does not have")
            return
        for one in (document.config, *document.layers):
            size = self.blob_size(repository, one.digest)
            if size is None and not one.media_type.startswith(FOREIGN_LAYER_PREFIXES):
                raise BlobUnknown(f"the manifest names the blob {one.digest}, which {repository} does not have")
            if size is not None and size != one.size:
                raise InvalidInput(f"the manifest says {one.size} bytes for {one.digest}, which has {size}")
            self.touch_blob(one.digest)

    def _tags(self, repository: str) -> Path:
        folder = self._repository(repository)
        if not (folder / "_manifests").is_dir():
            raise NotFound(f"there is no repository {repository}")
        return folder / "_tags"

    def _repository(self, name: str) -> Path:
        return self._root / "repositories" / check_name(name)


def check_name(name: str) -> str:
    """A repository's name as the distribution specification has it; InvalidInput otherwise."""
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:100]!r} is no name of a repository", remedy="use a-z, 0-9 and single . _ - / between"
        )
    return name


def check_tag(tag: str) -> str:
    """A tag as the distribution specification has it; InvalidInput otherwise."""
    if not _TAG.fullmatch(tag):
        raise InvalidInput(f"{tag[:150]!r} is no tag", remedy="use up to 128 of A-Z, a-z, 0-9, _ . -")
    return tag


def read_document(stored: StoredManifest) -> Manifest | Index:
    """The stored manifest or index as a value."""
    if stored.media_type in INDEX_TYPES:
        return Index.from_bytes(stored.data, stored.media_type)
    return Manifest.from_bytes(stored.data, stored.media_type)


def _described(stored: StoredManifest) -> Descriptor:
    document = read_document(stored)
    kind = document.artifact_type
    if kind is None and isinstance(document, Manifest):
        kind = document.config.media_type
    return Descriptor(
        stored.media_type, stored.digest, len(stored.data), None, dict(document.annotations), artifact_type=kind
    )


def _hex(digest: str) -> str:
    return check_digest(digest).removeprefix("sha256:")


def _names(folder: Path) -> list[str]:
    """What a folder holds, sorted, without files that are being written; nothing where there is no such folder."""
    try:
        return names_in(folder)
    except FileNotFoundError:
        return []


def _write(path: Path, data: bytes) -> None:
    """Write a small file aside, make it durable, and rename it: a reader sees the old one or the new one."""
    temporary = path.with_name(f".{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise disk_error(error, path) from error
