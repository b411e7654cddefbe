"""Whole images over a registry client: read the one that fits a platform, push one, join several under an index."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.values import INDEX_TYPES, OCI_CONFIG, Descriptor, ImageConfig, Index, Manifest

_PUSHES_AT_ONCE = 3
_ARM_VARIANTS = ("v8", "v7", "v6", "v5")
_AMD64_VARIANTS = ("v4", "v3", "v2", "")


@frozen
class Image:
    """One platform's image: `digest` is its manifest's, `index_digest` that of the index it was chosen from, if any."""

    repository: Repository
    digest: str
    index_digest: str | None
    manifest: Manifest
    config: ImageConfig

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers' descriptors, the lowest first; `config.diff_ids` has their digests before compression."""
        return self.manifest.layers


def compatible(platform: Platform) -> tuple[Platform, ...]:
    """The platforms whose images run on `platform`, the best first, as containerd orders them."""
    os, architecture, variant = platform.os, platform.architecture, platform.variant
    if architecture == "arm" and variant in _ARM_VARIANTS:
        older = _ARM_VARIANTS[_ARM_VARIANTS.index(variant) :]
        return tuple(Platform(os, "arm", one) for one in older)
    if architecture == "arm64":
        plain = () if not variant else (Platform(os, "arm64"),)
        return (platform, *plain, *(Platform(os, "arm", one) for one in _ARM_VARIANTS))
    if architecture == "amd64" and variant in _AMD64_VARIANTS:
        older = _AMD64_VARIANTS[_AMD64_VARIANTS.index(variant) :]
        return (*(Platform(os, "amd64", one) for one in older), Platform(os, "386"))
    return (platform,)


def choose(index: Index, platform: Platform, *, exact: bool = False) -> Descriptor:
    """The index's manifest for `platform`: the same, else (unless `exact`) the best that runs there.

    Raises NotFound, which names the platforms that are there.
    """
    for wanted in (platform,) if exact else compatible(platform):
        for manifest in index.manifests:
            if manifest.platform == wanted:
                return manifest
    there = sorted(str(one.platform) for one in index.manifests if one.platform and one.platform.os != "unknown")
    raise NotFound(f"the image is not there for {platform}, only for {', '.join(there) or 'no platform'}")


async def read_image(client: RegistryClient, reference: Reference, platform: Platform, *, exact: bool = False) -> Image:
    """The image of `reference` for `platform`; what that means, `choose` says, also where there is no index.

    Raises NotFound where there is none, InvalidInput where its documents contradict each other.
    """
    descriptor, data = await client.manifest(reference)
    index_digest = None
    if descriptor.media_type in INDEX_TYPES:
        index_digest = descriptor.digest
        chosen = choose(Index.from_bytes(data, descriptor.media_type), platform, exact=exact)
        descriptor, data = await client.manifest(Reference(reference.repository, digest=chosen.digest))
    manifest = Manifest.from_bytes(data, descriptor.media_type)
    config = ImageConfig.from_bytes(await client.read_blob(reference.repository, manifest.config))
    if len(config.diff_ids) != len(manifest.layers):
        raise InvalidInput(f"{reference}: {len(manifest.layers)} layers, but {len(config.diff_ids)} diff_ids")
    if config.platform not in ((platform,) if exact else compatible(platform)):
        raise NotFound(f"{reference} is an image for {config.platform}, not for {platform}")
    return Image(reference.repository, descriptor.digest, index_digest, manifest, config)


async def push_image(
    client: RegistryClient,
    repository: Repository,
    config: ImageConfig,
    layers: Sequence[tuple[Descriptor, Path]],
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Push layers and configuration (what is there already is not sent), then their manifest by digest.

    Gives the manifest's descriptor with the platform, as an index holds it.
    """
    manifest, data = image_manifest(config, [descriptor for descriptor, _ in layers], annotations)
    limit = asyncio.Semaphore(_PUSHES_AT_ONCE)

    async def push(descriptor: Descriptor, source: Path | bytes) -> None:
        async with limit:
            await client.push_blob(repository, descriptor, source)

    sources: dict[str, tuple[Descriptor, Path | bytes]] = {layer.digest: (layer, path) for layer, path in layers}
    sources[manifest.config.digest] = (manifest.config, data)
    async with asyncio.TaskGroup() as group:
        for descriptor, source in sources.values():
            group.create_task(push(descriptor, source))
    body = manifest.to_bytes()
    reference = Reference(repository, digest=Descriptor.of(manifest.media_type, body).digest)
    pushed = await client.push_manifest(reference, manifest.media_type, body)
    return dataclasses.replace(pushed, platform=config.platform)


def image_manifest(
    config: ImageConfig,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
) -> tuple[Manifest, bytes]:
    """The manifest of a configuration and its layers, and the configuration's bytes. Raises InvalidInput."""
    if len(config.diff_ids) != len(layers):
        raise InvalidInput(f"an image of {len(layers)} layers needs as many diff_ids, not {len(config.diff_ids)}")
    data = config.to_bytes()
    return Manifest(Descriptor.of(OCI_CONFIG, data), tuple(layers), annotations=dict(annotations or {})), data


async def push_index(
    client: RegistryClient,
    references: Iterable[Reference],
    manifests: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Push one index over `manifests`, each with its platform, under every reference; gives the index's descriptor."""
    if not all(manifest.platform for manifest in manifests):
        raise InvalidInput("a manifest of an index needs its platform")
    index = Index(tuple(manifests), annotations=dict(annotations or {}))
    data = index.to_bytes()
    for reference in references:
        await client.push_manifest(reference, index.media_type, data)
    return Descriptor.of(index.media_type, data)
