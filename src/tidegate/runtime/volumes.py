"""A pod's volumes as folders of the host, and where they are bound in its root."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.sandbox import Bind, Tmpfs
from tidegate.engine.ports import Store
from tidegate.kinds import quantity
from tidegate.runtime.podspec import Mount, PodSpec, Volume
from tidegate.runtime.values import CONFIG_ERROR, entries

MEMORY_DEFAULT = 64 * 1024 * 1024


@frozen
class Place:
    """Where volumes lie: the pod's own folder, the owner of what is made in it, and where hostPath may lead."""

    folder: Path
    owner: int | None
    host_roots: tuple[Path, ...]


async def prepare(
    store: Store, namespace: str, spec: PodSpec, place: Place
) -> tuple[tuple[Bind, ...], tuple[Tmpfs, ...]]:
    """Make the volumes and say how they are mounted, outer ones first. Errors have the code that a container's state
    shows: what is missing, or not allowed here.
    """
    sources: dict[str, Path | Tmpfs] = {}
    for volume in spec.volumes:
        data: dict[str, bytes] = {}
        if volume.kind in ("configMap", "secret"):
            data = await _data(store, namespace, volume)
        sources[volume.name] = await asyncio.to_thread(_make, volume, data, place)
    binds, memory = [], []
    kinds = {volume.name: volume.kind for volume in spec.volumes}
    for mount in sorted(spec.container.mounts, key=lambda mount: mount.path.count("/")):
        source = sources[mount.volume]
        if isinstance(source, Tmpfs):
            memory.append(Tmpfs(mount.path, source.size, 0o777))
            continue
        read_only = mount.read_only or kinds[mount.volume] in ("configMap", "secret")
        path = await asyncio.to_thread(_part, source, mount, kinds[mount.volume], place)
        binds.append(Bind(path, mount.path, read_only=read_only))
    return tuple(binds), tuple(memory)


def _make(volume: Volume, data: Mapping[str, bytes], place: Place) -> Path | Tmpfs:
    folder = place.folder / "volumes" / volume.name
    if volume.kind == "hostPath":
        return _host_path(volume, place)
    if volume.kind == "emptyDir":
        if volume.settings.get("medium") == "Memory":
            return Tmpfs("", quantity.whole(volume.settings.get("sizeLimit")) or MEMORY_DEFAULT)
        _folder(folder, 0o777, place.owner)
        return folder
    _write(folder, volume, data, place.owner)
    return folder


async def _data(store: Store, namespace: str, volume: Volume) -> dict[str, bytes]:
    kind = "ConfigMap" if volume.kind == "configMap" else "Secret"
    name = str(volume.settings.get("name" if kind == "ConfigMap" else "secretName") or "")
    optional = volume.settings.get("optional") is True
    try:
        data = await entries(store, kind, namespace, name)
    except NotFound:
        if not optional:
            raise
        return {}
    items = volume.settings.get("items")
    if not items:
        return data
    for item in items:
        if item.get("key") not in data and not optional:
            raise NotFound(f"{kind} {namespace}/{name} has no key {item.get('key')!r}", code=CONFIG_ERROR)
    return {str(item.get("path")): data[item["key"]] for item in items if item.get("key") in data}


def _write(folder: Path, volume: Volume, data: Mapping[str, bytes], owner: int | None) -> None:
    """A fresh folder each time, so that a restarted container sees what the ConfigMap or Secret says now."""
    shutil.rmtree(folder, ignore_errors=True)
    _folder(folder, 0o755, owner)
    modes = {str(item.get("path")): item.get("mode") for item in volume.settings.get("items") or []}
    for path, content in data.items():
        parts = path.split("/")
        if path.startswith("/") or ".." in parts:
            raise InvalidInput(f"the volume {volume.name} has a path that leads out of it: {path!r}", code=CONFIG_ERROR)
        inner = folder
        for part in parts[:-1]:
            inner = inner / part
            _folder(inner, 0o755, owner)
        mode = modes.get(path)
        mode = volume.settings.get("defaultMode", 0o644) if mode is None else mode
        target = folder / path
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if owner is not None:
            os.chown(target, owner, owner)
        target.chmod(int(mode) & 0o777)


def _folder(path: Path, mode: int, owner: int | None) -> None:
    if path.is_dir():
        return
    path.mkdir(parents=True)
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, owner)


def _host_path(volume: Volume, place: Place) -> Path:
    wanted, kind = Path(str(volume.settings.get("path"))), str(volume.settings.get("type") or "")
    path = wanted.resolve()
    if not any(path.is_relative_to(root.resolve()) for root in place.host_roots):
        roots = ", ".join(map(str, place.host_roots)) or "none"
        raise Denied(
            f"the volume {volume.name} may not use {wanted}: hostPath is allowed under {roots}",
            remedy="put the data there, or allow another root when Tidegate starts",
            code=CONFIG_ERROR,
        )
    if kind == "DirectoryOrCreate":
        _folder(path, 0o755, place.owner)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(0o644)
        if place.owner is not None:
            os.chown(path, place.owner, place.owner)
    checks = {"Directory": path.is_dir, "DirectoryOrCreate": path.is_dir, "File": path.is_file}
    if not path.exists() or not checks.get(kind, path.exists)():
        raise NotFound(f"the volume {volume.name}: hostPath {wanted} is no {kind or 'path'}", code=CONFIG_ERROR)
    return path


def _part(source: Path, mount: Mount, kind: str, place: Place) -> Path:
    """The `subPath` of a volume. What a workload wrote may be a link, so the answer must lie in the volume."""
    if not mount.sub_path:
        return source
    path = source / mount.sub_path
    if kind == "emptyDir" and not path.exists() and not path.is_symlink():
        _folder(path, 0o755, place.owner)
    if not path.resolve().is_relative_to(source.resolve()) or not path.exists():
        raise InvalidInput(f"subPath {mount.sub_path!r} is not in the volume {mount.volume}", code=CONFIG_ERROR)
    return path.resolve()
