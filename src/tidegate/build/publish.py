"""Pushes what was built: blobs that are missing, manifests by digest, then the index under every tag, in this order."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.base.errors import AlreadyExists
from tidegate.build.assemble import Built
from tidegate.build.request import BuildResult
from tidegate.build.store import BuildStore
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.values import OCI_INDEX, Descriptor, Index

_AT_ONCE = 6


async def publish(
    built: Sequence[Built],
    tags: Sequence[Reference],
    annotations: Mapping[str, str],
    store: BuildStore,
    client: RegistryClient,
) -> BuildResult:
    """Push the images and one index over them to every repository that a tag names; without tags the store has them.

    A tag is set last, so that nobody ever finds one whose blobs are not there. Raises Unavailable or Denied.
    """
    index = Index(tuple(one.descriptor for one in built), annotations=dict(annotations))
    data = index.to_bytes()
    digest = store.put_blob(data)
    for repository in dict.fromkeys(tag.repository for tag in tags):
        await _push_images(repository, store, client, built)
        for tag in (tag for tag in tags if tag.repository == repository):
            await client.push_manifest(tag, index.media_type, data)
    images = [one for one in built if one.platform.os != "unknown"]  # the others say something of these
    return BuildResult(digest, {str(one.platform): one.descriptor.digest for one in images})


def write_output(
    output: str, built: Sequence[Built], index_digest: str, name: str | None, store: BuildStore, scratch: Path
) -> None:
    """Write `oci:FOLDER` or `oci-archive:FILE`. Raises AlreadyExists where the folder is not empty."""
    kind, _, place = output.partition(":")
    if kind == "oci":
        write_layout(built, index_digest, name, store, Path(place))
        return
    folder = scratch / "layout"
    write_layout(built, index_digest, name, store, folder)
    partial = Path(place).with_name(f".{Path(place).name}.partial")
    try:
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(folder.rglob("*")):
                archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing of this machine: the same archive of the same image."""
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def write_layout(built: Sequence[Built], index_digest: str, name: str | None, store: BuildStore, folder: Path) -> None:
    """Write an OCI image layout, which skopeo and podman read as `oci:FOLDER:NAME`. Raises AlreadyExists."""
    if folder.exists() and any(folder.iterdir()):
        raise AlreadyExists(f"{folder} is not empty", remedy="name a new folder")
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    digests = {index_digest, *(one.descriptor.digest for one in built)}
    digests |= {blob.digest for one in built for blob in one.blobs}
    for digest in digests:
        shutil.copyfile(store.blob_path(digest), blobs / digest.removeprefix("sha256:"))
    data = store.read_blob(index_digest)
    named = {"org.opencontainers.image.ref.name": name} if name else {}
    top = replace(Descriptor.of(OCI_INDEX, data), annotations=named)
    (folder / "index.json").write_bytes(Index((top,)).to_bytes())
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


async def _push_images(
    repository: Repository, store: BuildStore, client: RegistryClient, built: Sequence[Built]
) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)
    blobs = {blob.digest: (blob, one.mountable.get(blob.digest)) for one in built for blob in one.blobs}

    async def push_blob(blob: Descriptor, source: Repository | None) -> None:
        async with slots:
            if source is not None and source != repository and source.registry == repository.registry:
                if await client.has_blob(repository, blob.digest):
                    return
                if await client.mount_blob(repository, blob.digest, source):
                    return
            await client.push_blob(repository, blob, store.blob_path(blob.digest))

    async def push_manifest(manifest: Descriptor) -> None:
        async with slots:
            reference = Reference(repository, digest=manifest.digest)
            await client.push_manifest(reference, manifest.media_type, store.read_blob(manifest.digest))

    await _all(push_blob(blob, source) for blob, source in blobs.values())
    await _all(push_manifest(one.descriptor) for one in built)


async def _all(pushes: Iterable[Coroutine[None, None, None]]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for push in pushes:
                group.create_task(push)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
