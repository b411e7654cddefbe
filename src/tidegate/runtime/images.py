"""Images made ready to run: the reference resolved, the platform chosen, layers fetched and unpacked once each."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tidegate.base import process
from tidegate.base.errors import InvalidInput, MissingTool, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository, parse
from tidegate.oci.values import INDEX_TYPES, ContainerConfig, Descriptor, ImageConfig, Index, Manifest
from tidegate.runtime.layers import FOLDER, Owners, missing, sweep

UNPACK_TIMEOUT = 900.0
KEPT_IMAGES = 12
"""How many images' layers stay on disk besides those in use: what is deployed can be rolled back at once."""
FETCHES_AT_ONCE = 3
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_QEMU = {"amd64": "x86_64", "arm64": "aarch64", "arm": "arm", "386": "i386", "riscv64": "riscv64", "ppc64le": "ppc64le"}


class Registry(Protocol):
    """What is asked of a registry's client; `oci.client.RegistryClient` is one."""

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]: ...

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes: ...

    async def fetch_blob(self, repository: Repository, descriptor: Descriptor, target: Path) -> None: ...


@frozen
class Image:
    """An image that is ready: `digest` is of what the reference pointed to (an index, often), `layers` are folders
    below the image store, the topmost first.
    """

    reference: str
    repository: Repository
    digest: str
    platform: Platform
    config: ContainerConfig
    layers: tuple[str, ...]

    @property
    def image_id(self) -> str:
        """As a container's status says it: `ghcr.io/acme/web@sha256:…`."""
        return f"{self.repository}@{self.digest}"


class ImageStore:
    """Images below the folder `root`, owned as `owners` says."""

    def __init__(self, root: Path, owners: Owners):
        self._root = root
        self._owners = owners
        self._locks: dict[str, asyncio.Lock] = {}
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._unpacking = asyncio.Lock()

    async def ensure(self, text: str, policy: str, architecture: str | None, registry: Registry) -> Image:
        """The image ready to run. `policy` is Kubernetes' imagePullPolicy: with IfNotPresent an image that is here is
        not asked for again. Raises InvalidInput, NotFound, Unavailable, Denied as the registry's client does.
        """
        reference = parse(text)
        key = f"{reference} {architecture or ''}"
        async with self._locks.setdefault(key, asyncio.Lock()):
            if policy != "Always" and (known := await asyncio.to_thread(self._known, key)) is not None:
                return known
            if policy == "Never":
                raise NotFound(f"the image {text} is not here, and imagePullPolicy is Never", code="ErrImageNeverPull")
            image = await self._pull(text, reference, architecture, registry)
            await asyncio.to_thread(self._remember, key, image)
        reach(Step.ROOTFS_READY)
        return image

    async def _pull(self, text: str, reference: Reference, architecture: str | None, registry: Registry) -> Image:
        descriptor, data = await registry.manifest(reference)
        repository, digest = reference.repository, descriptor.digest
        if descriptor.media_type in INDEX_TYPES:
            chosen = choose(Index.from_bytes(data, descriptor.media_type).manifests, architecture, text)
            descriptor, data = await registry.manifest(Reference(repository, None, chosen.digest))
        manifest = Manifest.from_bytes(data, descriptor.media_type)
        config = ImageConfig.from_bytes(await registry.read_blob(repository, manifest.config))
        check_runnable(config.platform, architecture, text)
        if len(config.diff_ids) != len(manifest.layers) or not manifest.layers:
            raise InvalidInput(
                f"the image {text} has {len(manifest.layers)} layers and {len(config.diff_ids)} diff_ids"
            )
        layers = await self._unpack(repository, manifest.layers, config.diff_ids, registry)
        return Image(text, repository, digest, config.platform, config.config, tuple(layers))

    async def _unpack(
        self, repository: Repository, layers: Sequence[Descriptor], diff_ids: Sequence[str], registry: Registry
    ) -> list[str]:
        blobs = self._root / "blobs"
        blobs.mkdir(parents=True, exist_ok=True)
        pairs = list(zip(layers, diff_ids, strict=True))
        paths = {diff_id: blobs / layer.digest.partition(":")[2] for layer, diff_id in pairs}
        async with self._unpacking:
            absent = await asyncio.to_thread(missing, self._root, diff_ids)
            while True:
                await self._fetch(repository, [layer for layer, diff_id in pairs if diff_id in absent], registry)
                try:
                    names = await self._stack([(paths[diff_id], diff_id) for diff_id in diff_ids])
                    break
                except InvalidInput as error:
                    if error.code != "LayerMissing" or absent == list(diff_ids):
                        raise
                    absent = list(diff_ids)
            await asyncio.to_thread(shutil.rmtree, blobs, ignore_errors=True)
        return names

    async def _fetch(self, repository: Repository, layers: Sequence[Descriptor], registry: Registry) -> None:
        async def fetch(layer: Descriptor) -> None:
            async with self._fetching:
                target = self._root / "blobs" / layer.digest.partition(":")[2]
                if not target.exists():
                    await registry.fetch_blob(repository, layer, target)

        try:
            async with asyncio.TaskGroup() as group:
                for layer in {layer.digest: layer for layer in layers}.values():
                    group.create_task(fetch(layer))
        except* TidegateError as errors:
            raise errors.exceptions[0] from None

    async def _stack(self, layers: list[tuple[Path, str]]) -> list[str]:
        request = {
            "root": str(self._root),
            "base": self._owners.base,
            "nobody": self._owners.nobody,
            "layers": [[str(path), diff_id] for path, diff_id in layers],
        }
        package = Path(__file__).parents[2]
        done = await process.run(
            [sys.executable, "-m", "tidegate.runtime.layer_store"],
            stdin=json.dumps(request).encode(),
            env=process.minimal_environment({"PYTHONPATH": os.pathsep.join([str(package), *sys.path])}),
            timeout=UNPACK_TIMEOUT,
        )
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise InvalidInput(answer["error"]["message"], code=answer["error"]["code"])
        return [str(name) for name in answer["layers"]]

    # What is known of images, in files: a lost one only means another look at the registry

    def _record(self, key: str) -> Path:
        return self._root / "images" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _known(self, key: str) -> Image | None:
        path = self._record(key)
        try:
            value = json.loads(path.read_text())
            image = Image(
                value["reference"],
                Repository(*value["repository"]),
                value["digest"],
                Platform.parse(value["platform"]),
                ContainerConfig.from_json(value["config"]),
                tuple(value["layers"]),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError, TidegateError):
            return None
        if not all((self._root / FOLDER / name).exists() for name in image.layers):
            return None
        os.utime(path)
        return image

    def _remember(self, key: str, image: Image) -> None:
        path = self._record(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        value = {
            "reference": image.reference,
            "repository": [image.repository.registry, image.repository.path],
            "digest": image.digest,
            "platform": str(image.platform),
            "config": image.config.as_json(),
            "layers": list(image.layers),
        }
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(value))
        temporary.replace(path)

    async def sweep(self, in_use: set[str]) -> None:
        """Forget all but the images used last and those `in_use` (names of layer folders); remove their layers."""
        async with self._unpacking:
            await asyncio.to_thread(self._sweep, in_use)

    def _sweep(self, in_use: set[str]) -> None:
        folder = self._root / "images"
        records = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        kept = set(in_use)
        for at, record in enumerate(records):
            with contextlib.suppress(ValueError, KeyError):
                layers = set(json.loads(record.read_text())["layers"])
                if at < KEPT_IMAGES or layers <= in_use:
                    kept |= layers
                    continue
            record.unlink(missing_ok=True)
        sweep(self._root, kept)


def choose(manifests: Sequence[Descriptor], architecture: str | None, text: str) -> Descriptor:
    """The manifest of an index for this machine, or for `architecture`. InvalidInput names what there is instead."""
    machine = Platform.of_machine()
    usable = [item for item in manifests if item.platform is not None and item.platform.os == "linux"]
    wanted = architecture or machine.architecture
    fitting = [item for item in usable if item.platform is not None and item.platform.architecture == wanted]
    exact = [item for item in fitting if item.platform == machine]
    if exact or fitting:
        return (exact or fitting)[0]
    there = ", ".join(str(item.platform) for item in usable) or "no platform"
    raise InvalidInput(f"the image {text} has nothing for linux/{wanted}: it has {there}", code="ErrImagePull")


def check_runnable(platform: Platform, architecture: str | None, text: str) -> None:
    """Raise MissingTool where the image is for another machine and nothing emulates that one."""
    machine = Platform.of_machine()
    close = {machine.architecture} | ({"386"} if machine.architecture == "amd64" else set())
    if platform.architecture in close:
        return
    if architecture is not None and platform.architecture != architecture:
        raise InvalidInput(f"the image {text} is for {platform}, not for {architecture}")
    name = _QEMU.get(platform.architecture, platform.architecture)
    handlers = [_BINFMT / f"qemu-{name}", *_BINFMT.glob(f"*qemu-{name}*")]
    if not any(handler.exists() for handler in handlers):
        remedy = "install the emulator: apt-get install qemu-user-static"
        raise MissingTool(f"the image {text} is for {platform}, this machine is {machine}", remedy=remedy)
