"""`--cache-from` and `--cache-to`: layers by what they were made from, in a registry or a folder for other machines.

A cache is one manifest: its configuration lists the records of layers by their keys, its layers are their blobs. A key
is of what a step reads, so a foreign cache can't be out of date; a blob with other bytes than its digest is refused.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.build.request import CacheSpec
from tidegate.build.store import BuildStore, Record, write_whole
from tidegate.kinds.reference import parse
from tidegate.oci.client import RegistryClient
from tidegate.oci.values import OCI_MANIFEST, Descriptor, Index, Manifest, compact, digest_of

CONFIG_TYPE = "application/vnd.tidegate.build-cache.v1+json"
RECORD_LIMIT = 10_000
_LARGEST_CONFIG = 64 * 1024 * 1024

Log = Callable[[str], None]


class Caches:
    """What a build may take from others. Nothing is fetched until a key asks for it."""

    def __init__(self, specs: Sequence[CacheSpec], store: BuildStore, client: RegistryClient, log: Log):
        self._store, self._client, self._log = store, client, log
        self._opened = [(spec, asyncio.Lock()) for spec in specs]
        self._known: dict[int, Mapping[str, Record]] = {}

    async def find(self, key: str) -> Record | None:
        """The record of a layer, whose blob is then in the store; None where no cache has it."""
        for at, (spec, lock) in enumerate(self._opened):
            async with lock:
                if at not in self._known:
                    self._known[at] = await self._open(spec)
            record = self._known[at].get(key)
            if record is not None and await self._fetched(spec, record):
                self._store.remember("layers", key, record)
                return record
        return None

    async def _open(self, spec: CacheSpec) -> Mapping[str, Record]:
        """A cache that is not there, or can't be read, is as good as an empty one; the log says which."""
        try:
            manifest = await self._manifest(spec)
            if manifest.config.media_type != CONFIG_TYPE or manifest.config.size > _LARGEST_CONFIG:
                raise InvalidInput("it is no cache of Tidegate's")
            if not await self._fetched_blob(spec, manifest.config):
                raise NotFound("its list of records is gone")
            value = json.loads(self._store.read_blob(manifest.config.digest))
            records = value.get("records") if isinstance(value, dict) else None
            if not isinstance(records, dict):
                raise InvalidInput("it has no records")
        except (TidegateError, OSError, ValueError) as error:
            self._log(f"cache from {spec.place}: not used: {error}")
            return {}
        self._log(f"cache from {spec.place}: {len(records)} layers")
        return {key: record for key, record in records.items() if isinstance(record, dict)}

    async def _manifest(self, spec: CacheSpec) -> Manifest:
        if spec.type == "registry":
            _, data = await self._client.manifest(parse(spec.place))
            return Manifest.from_bytes(data)
        folder = Path(spec.place)
        try:
            index = Index.from_bytes((folder / "index.json").read_bytes())
            return Manifest.from_bytes(_in_layout(folder, index.manifests[0].digest).read_bytes())
        except (FileNotFoundError, IndexError) as error:
            raise NotFound("there is none") from error

    async def _fetched(self, spec: CacheSpec, record: Record) -> bool:
        try:
            descriptor = None if record.get("layer") is None else Descriptor.from_json(record["layer"])
            return descriptor is None or await self._fetched_blob(spec, descriptor)
        except (TidegateError, OSError) as error:
            self._log(f"cache from {spec.place}: a layer is not used: {error}")
            return False

    async def _fetched_blob(self, spec: CacheSpec, descriptor: Descriptor) -> bool:
        if self._store.has_blob(descriptor):
            return True
        target = self._store.blob_path(descriptor.digest)
        if spec.type == "registry":
            await self._client.fetch_blob(parse(spec.place).repository, descriptor, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(_copy_whole, _in_layout(Path(spec.place), descriptor.digest), target)
        return self._store.has_blob(descriptor)  # which takes one with other bytes away


async def keep(
    specs: Iterable[CacheSpec],
    records: Mapping[str, Record],
    built: Iterable[str],
    store: BuildStore,
    client: RegistryClient,
    log: Log,
) -> None:
    """Write the layers that a build used to caches; `built` are the digests of the images' own layers.

    Raises Unavailable or Denied, unless a cache says `ignore-error`.
    """
    own = frozenset(built)
    for spec in specs:
        chosen = dict(sorted(records.items()))
        if spec.mode == "min":
            chosen = {key: one for key, one in chosen.items() if one.get("layer") and one["layer"]["digest"] in own}
        config = compact({"records": dict(list(chosen.items())[:RECORD_LIMIT])})
        store.put_blob(config)
        found = [Descriptor.from_json(one["layer"]) for one in chosen.values() if one.get("layer")]
        layers = tuple({one.digest: one for one in found if store.has_blob(one)}.values())
        manifest = Manifest(Descriptor(CONFIG_TYPE, digest_of(config), len(config)), layers)
        try:
            await _write(spec, manifest, store, client)
        except TidegateError as error:
            if not spec.ignore_error:
                raise
            log(f"cache to {spec.place}: not written: {error}")
            continue
        log(f"cache to {spec.place}: {len(chosen)} layers")


async def _write(spec: CacheSpec, manifest: Manifest, store: BuildStore, client: RegistryClient) -> None:
    body = manifest.to_bytes()
    blobs = (manifest.config, *manifest.layers)
    if spec.type == "registry":
        reference = parse(spec.place)
        for blob in blobs:
            await client.push_blob(reference.repository, blob, store.blob_path(blob.digest))
        await client.push_manifest(reference, manifest.media_type, body)
        return
    await asyncio.to_thread(_write_folder, Path(spec.place), blobs, body, store)


def _write_folder(folder: Path, blobs: Iterable[Descriptor], body: bytes, store: BuildStore) -> None:
    """The manifest is named last, so that a folder is a cache at every moment; what it named before goes then."""
    named = {digest_of(body).removeprefix("sha256:")}
    for blob in blobs:
        target = _in_layout(folder, blob.digest)
        named.add(target.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _copy_whole(store.blob_path(blob.digest), target)
    top = Descriptor.of(OCI_MANIFEST, body)
    write_whole(_in_layout(folder, top.digest), body, 0o644)
    write_whole(folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644)
    write_whole(folder / "index.json", Index((top,)).to_bytes(), 0o644)
    for path in (folder / "blobs/sha256").iterdir():
        if path.name not in named:
            path.unlink(missing_ok=True)


def _copy_whole(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _in_layout(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")
