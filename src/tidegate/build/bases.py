"""What a FROM stands for: nothing, an image that its registry serves, or a base that somebody named for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from tidegate.base.errors import Denied, InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.build.bytecode import Compiler
from tidegate.build.debian.base import make_base, spec_of
from tidegate.build.debian.fetch import Fetcher
from tidegate.build.debian.sources import choose_mirrors, machine_sources
from tidegate.build.facts import Facts, inspect
from tidegate.build.store import BuildStore, key_of
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository, parse
from tidegate.oci.client import RegistryClient
from tidegate.oci.image import read_image
from tidegate.oci.values import DOCKER_LAYER_GZIP, OCI_LAYER_GZIP, Descriptor, ImageConfig, Manifest

SCRATCH = "scratch"
_FETCHES = 3

Log = Callable[[str], None]


@frozen
class Foundation:
    """What an image is built on, for one platform; every layer's blob is in the store.

    `stands_in` is `NAME=REPLACEMENT` where a base was named for it. `source` is where the layers can be mounted from.
    """

    name: str
    digest: str
    config: ImageConfig
    layers: tuple[Descriptor, ...]
    facts: Facts
    stands_in: str = ""
    source: Repository | None = None


class Bases:
    """Finds foundations. Close it with `aclose`."""

    def __init__(
        self,
        store: BuildStore,
        client: RegistryClient,
        replacements: Mapping[str, str],
        compiler: Compiler,
        log: Log,
    ):
        self._store = store
        self._compiler = compiler
        self._fetcher: Fetcher | None = None
        self._client = client
        self._replacements = {_canonical(name): replacement for name, replacement in replacements.items()}
        self._log = log
        self.found: dict[tuple[str, Platform], Foundation] = {}
        """Every foundation that was asked for, by its name and platform."""

    async def aclose(self) -> None:
        """Close the connections to mirrors, if there were any."""
        if self._fetcher is not None:
            await self._fetcher.aclose()

    def fetcher(self) -> Fetcher:
        """What fetches Debian's packages, for the whole build."""
        if self._fetcher is None:
            self._fetcher = Fetcher(self._store.folder("packages"))
        return self._fetcher

    async def find(self, name: str, platform: Platform) -> Foundation:
        """The foundation that `name` means for `platform`.

        Raises InvalidInput, NotFound, Unavailable or Denied, which name `--base` where nothing can be pulled.
        """
        found = await self._find(name, platform)
        self.found[name, platform] = found
        return found

    async def _find(self, name: str, platform: Platform) -> Foundation:
        if name == SCRATCH:
            return Foundation(name, "", ImageConfig(platform), (), Facts())
        replacement = self._replacements.get(_canonical(name))
        if replacement is None:
            return await self._pull(name, platform)
        stands_in = f"{name}={replacement}"
        self._log(f"{platform}: FROM {name}: {replacement} stands in for it, as --base says")
        if replacement.partition(":")[0] == "debian":
            return replace(await self._made(replacement, platform), stands_in=stands_in)
        return replace(await self._pull(replacement, platform), stands_in=stands_in)

    async def _made(self, name: str, platform: Platform) -> Foundation:
        wanted = spec_of(name)
        mirrors = await asyncio.to_thread(lambda: choose_mirrors(machine_sources(), wanted.suite))
        spec = replace(wanted, mirrors=mirrors)
        base = await make_base(spec, platform, self._store, self.fetcher(), self._compiler, self._log)
        manifest = Manifest.from_bytes(self._store.read_blob(base.manifest.digest))
        config = ImageConfig.from_bytes(self._store.read_blob(manifest.config.digest))
        # What it says of itself is not true of what is built on it.
        labels = {key: text for key, text in config.config.labels.items() if not key.startswith("org.opencontainers.")}
        config = replace(config, config=replace(config.config, labels=labels))
        return Foundation(spec.name, base.manifest.digest, config, manifest.layers, await self._facts(manifest.layers))

    async def _pull(self, name: str, platform: Platform) -> Foundation:
        reference = parse(name)
        try:
            image = await read_image(self._client, reference, platform, exact=True)
            await self._fetch(reference, image.layers)
        except (NotFound, Unavailable, Denied) as error:
            raise _unpullable(name, platform, error) from error
        layers = tuple(replace(layer, media_type=_oci_type(layer.media_type)) for layer in image.layers)
        self._log(f"{platform}: FROM {name}: {image.digest}")
        facts = await self._facts(layers)
        return Foundation(name, image.digest, image.config, layers, facts, source=reference.repository)

    async def _fetch(self, reference: Reference, layers: tuple[Descriptor, ...]) -> None:
        limit = asyncio.Semaphore(_FETCHES)

        async def fetch(layer: Descriptor) -> None:
            async with limit:
                await self._client.fetch_blob(reference.repository, layer, self._store.blob_path(layer.digest))

        try:
            async with asyncio.TaskGroup() as group:
                for layer in set(layers):
                    if not self._store.has_blob(layer):
                        group.create_task(fetch(layer))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _facts(self, layers: tuple[Descriptor, ...]) -> Facts:
        key = key_of({"layers": [layer.digest for layer in layers]})
        record = self._store.record("facts", key)
        blobs = [self._store.blob_path(layer.digest) for layer in layers]
        facts = None if record is None else Facts.from_json(record, blobs)
        if facts is None:
            facts = await asyncio.to_thread(inspect, blobs)
            self._store.remember("facts", key, facts.as_json(blobs))
        return facts


def _canonical(name: str) -> str:
    try:
        return str(parse(name))
    except InvalidInput:
        return name


def _oci_type(media_type: str) -> str:
    return OCI_LAYER_GZIP if media_type == DOCKER_LAYER_GZIP else media_type


def _unpullable(name: str, platform: Platform, error: TidegateError) -> TidegateError:
    remedy = f"name what is to stand in for it: --base {name}=debian:bookworm (or an image that can be pulled)"
    return type(error)(f"FROM {name} can't be pulled for {platform}: {error.message}", remedy=remedy)
