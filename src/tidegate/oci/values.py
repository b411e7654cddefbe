"""Images as values: descriptors, manifests, indexes and image configurations, read from JSON and written to it.

Pure. Follows the OCI image specification v1.1 and Docker's schema 2 forms of the same; what is read is checked, so that
a size, digest or media type in hand is a valid one. Fields that have no name here are kept as they came.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Self

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.base.json_size import check_json
from tidegate.kinds.platform import Platform

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
GZIP_LAYER_TYPES = frozenset({OCI_LAYER_GZIP, DOCKER_LAYER_GZIP})
LAYER_TYPES = GZIP_LAYER_TYPES | {OCI_LAYER, OCI_LAYER_ZSTD}
# Layers whose bytes their publisher does not let registries hold; a manifest may name them without their being there.
FOREIGN_LAYER_PREFIXES = (DOCKER_FOREIGN_LAYER_GZIP, "application/vnd.oci.image.layer.nondistributable.")

MANIFEST_LIMIT = 4 * 1024 * 1024
VALUES_LIMIT = 100_000  # of a manifest, or an image's configuration
"""Bytes of a manifest, an index or a configuration: what the distribution specification asks every registry to take."""
_ITEMS_LIMIT = 10_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)

Json = dict[str, Any]


def digest_of(data: bytes) -> str:
    """The sha256 digest of `data`, spelled as OCI does."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """Whether `text` is a sha256 digest in OCI's spelling; other algorithms are not read here."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(text: object) -> str:
    """`text` itself; InvalidInput where it is no sha256 digest."""
    if isinstance(text, str) and is_digest(text):
        return text
    raise InvalidInput(f"{str(text)[:100]!r} is no sha256 digest", remedy="a digest is sha256: and 64 of 0-9 a-f")


@frozen
class Descriptor:
    """What points to a blob or manifest: media type, digest, and size in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str | None = None

    def as_json(self) -> Json:
        """The specification's object; what is empty is left out."""
        value: Json = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform is not None:
            value["platform"] = self.platform.as_json()
        return value | _named(annotations=self.annotations, artifactType=self.artifact_type)

    @classmethod
    def of(cls, media_type: str, data: bytes, platform: Platform | None = None) -> Self:
        """The descriptor of `data`."""
        return cls(media_type, digest_of(data), len(data), platform)

    @classmethod
    def from_json(cls, value: object, what: str = "descriptor") -> Self:
        """Read a descriptor; InvalidInput names the field of `what` that is wrong."""
        fields = _mapping(value, what)
        media_type, size = fields.get("mediaType"), fields.get("size")
        if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
            raise InvalidInput(f"{what}: mediaType is missing or no media type")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**63:
            raise InvalidInput(f"{what}: size is missing or no number of bytes")
        return cls(
            media_type,
            check_digest(fields.get("digest")),
            size,
            _platform(fields.get("platform"), what),
            _strings(fields.get("annotations"), f"{what}.annotations"),
            _optional_text(fields.get("artifactType"), f"{what}.artifactType"),
        )


@frozen
class Manifest:
    """One platform's image: a configuration and its layers, the lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = OCI_MANIFEST
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    subject: Descriptor | None = None
    artifact_type: str | None = None

    def to_bytes(self) -> bytes:
        """The JSON whose digest is the manifest's."""
        value: Json = {"schemaVersion": 2, "mediaType": self.media_type}
        value |= _named(artifactType=self.artifact_type)
        value |= {"config": self.config.as_json(), "layers": [layer.as_json() for layer in self.layers]}
        return compact(value | _subject(self.subject) | _named(annotations=self.annotations))

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str | None = None) -> Self:
        """Read a manifest of either family. `media_type` is the one it was served with. Raises InvalidInput."""
        fields, found = _document(data, media_type, OCI_MANIFEST, MANIFEST_TYPES, "manifest")
        if "manifests" in fields:
            raise InvalidInput("manifest: it has manifests, as only an index may")
        layers = _items(fields.get("layers"), "manifest.layers")
        return cls(
            Descriptor.from_json(fields.get("config"), "manifest.config"),
            tuple(Descriptor.from_json(layer, f"manifest.layers[{at}]") for at, layer in enumerate(layers)),
            found,
            _strings(fields.get("annotations"), "manifest.annotations"),
            _read_subject(fields, "manifest"),
            _optional_text(fields.get("artifactType"), "manifest.artifactType"),
        )


@frozen
class Index:
    """One image for several platforms: a descriptor for each one's manifest."""

    manifests: tuple[Descriptor, ...]
    media_type: str = OCI_INDEX
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    subject: Descriptor | None = None
    artifact_type: str | None = None

    def to_bytes(self) -> bytes:
        """The JSON whose digest is the index's."""
        value: Json = {"schemaVersion": 2, "mediaType": self.media_type}
        value |= _named(artifactType=self.artifact_type)
        value["manifests"] = [manifest.as_json() for manifest in self.manifests]
        return compact(value | _subject(self.subject) | _named(annotations=self.annotations))

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str | None = None) -> Self:
        """Read an index or a Docker manifest list. Raises InvalidInput."""
        fields, found = _document(data, media_type, OCI_INDEX, INDEX_TYPES, "index")
        if "layers" in fields or "config" in fields:
            raise InvalidInput("index: it has layers or config, as only a manifest may")
        manifests = _items(fields.get("manifests"), "index.manifests")
        return cls(
            tuple(Descriptor.from_json(value, f"index.manifests[{at}]") for at, value in enumerate(manifests)),
            found,
            _strings(fields.get("annotations"), "index.annotations"),
            _read_subject(fields, "index"),
            _optional_text(fields.get("artifactType"), "index.artifactType"),
        )


@frozen
class ContainerConfig:
    """How a container of the image starts: the configuration's `config` object."""

    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    other: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def as_json(self) -> Json:
        """The object as OCI spells it, with what was kept of `other`."""
        return dict(self.other) | _named(
            User=self.user,
            ExposedPorts={port: {} for port in sorted(self.exposed_ports)},
            Env=list(self.env),
            Entrypoint=list(self.entrypoint),
            Cmd=list(self.cmd),
            Volumes={volume: {} for volume in sorted(self.volumes)},
            WorkingDir=self.working_dir,
            Labels=self.labels,
            StopSignal=self.stop_signal,
        )

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the `config` object of an image's configuration. Raises InvalidInput."""
        what = "config.config"
        fields = dict(_mapping({} if value is None else value, what))
        return cls(
            env=_texts(fields.pop("Env", None), f"{what}.Env"),
            entrypoint=_texts(fields.pop("Entrypoint", None), f"{what}.Entrypoint"),
            cmd=_texts(fields.pop("Cmd", None), f"{what}.Cmd"),
            working_dir=_text(fields.pop("WorkingDir", None), f"{what}.WorkingDir"),
            user=_text(fields.pop("User", None), f"{what}.User"),
            labels=_strings(fields.pop("Labels", None), f"{what}.Labels"),
            exposed_ports=_keys(fields.pop("ExposedPorts", None), f"{what}.ExposedPorts"),
            volumes=_keys(fields.pop("Volumes", None), f"{what}.Volumes"),
            stop_signal=_text(fields.pop("StopSignal", None), f"{what}.StopSignal"),
            other=fields,
        )


@frozen
class History:
    """One line of an image's history; `empty_layer` where the step changed no file."""

    created_by: str = ""
    created: str = ""
    comment: str = ""
    author: str = ""
    empty_layer: bool = False

    def as_json(self) -> Json:
        """The specification's object."""
        value = _named(created=self.created, created_by=self.created_by, author=self.author, comment=self.comment)
        return value | ({"empty_layer": True} if self.empty_layer else {})

    @classmethod
    def from_json(cls, value: object, what: str) -> Self:
        """Read one entry of `history`. Raises InvalidInput."""
        fields = _mapping(value, what)
        texts = {name: _text(fields.get(name), f"{what}.{name}") for name in ("created_by", "created", "comment")}
        author = _text(fields.get("author"), f"{what}.author")
        return cls(**texts, author=author, empty_layer=fields.get("empty_layer") is True)


@frozen
class ImageConfig:
    """An image's configuration: its platform, how it starts, and its layers' digests before compression."""

    platform: Platform
    diff_ids: tuple[str, ...] = ()
    config: ContainerConfig = ContainerConfig()
    created: str = ""
    author: str = ""
    history: tuple[History, ...] = ()
    other: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_bytes(self) -> bytes:
        """The JSON whose digest is the image's id."""
        value: Json = _named(created=self.created, author=self.author) | self.platform.as_json()
        value |= {"config": self.config.as_json(), "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids)}}
        value |= _named(history=[line.as_json() for line in self.history])
        return compact(dict(self.other) | value)

    def with_layer(self, diff_id: str, history: History) -> ImageConfig:
        """The configuration after one more layer."""
        return dataclasses.replace(self, diff_ids=(*self.diff_ids, diff_id), history=(*self.history, history))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an image configuration. Raises InvalidInput."""
        fields = dict(read_json(data, "config"))
        platform = _platform(fields, "config")
        if platform is None:
            raise InvalidInput("config: os or architecture is missing")
        rootfs = _mapping(fields.pop("rootfs", {}), "config.rootfs")
        lines = _items(fields.pop("history", None) or [], "config.history")
        for name in ("os", "architecture", "variant"):
            fields.pop(name, None)
        return cls(
            platform,
            tuple(check_digest(value) for value in _items(rootfs.get("diff_ids") or [], "config.rootfs.diff_ids")),
            ContainerConfig.from_json(fields.pop("config", None)),
            _text(fields.pop("created", None), "config.created"),
            _text(fields.pop("author", None), "config.author"),
            tuple(History.from_json(line, f"config.history[{at}]") for at, line in enumerate(lines)),
            fields,
        )


def compact(value: Mapping[str, Any]) -> bytes:
    """JSON without white space, in the order given: the same value always has the same digest."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read_json(data: bytes, what: str) -> Json:
    """A JSON object of at most MANIFEST_LIMIT bytes. Raises InvalidInput or LimitExceeded."""
    if len(data) > MANIFEST_LIMIT:
        raise LimitExceeded(f"{what}: larger than {MANIFEST_LIMIT} bytes")
    check_json(data, VALUES_LIMIT)
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{what}: not JSON: {str(error)[:200]}") from error
    return _mapping(value, what)


def media_type_of(data: bytes, served: str | None = None) -> str:
    """The media type of a manifest or index: the one inside it, else the one `served`, else by its fields."""
    fields = read_json(data, "manifest")
    inside = fields.get("mediaType")
    told = (served or "").partition(";")[0].strip()
    for found in (inside, told):
        if found in INDEX_TYPES or found in MANIFEST_TYPES:
            other = ("layers", "config") if found in INDEX_TYPES else ("manifests",)
            if inside is None and any(name in fields for name in other):
                raise InvalidInput(f"manifest: it is served as {found}, and is none by its fields")
            return str(found)
    if fields.get("schemaVersion") == 2 and inside is None and ("manifests" in fields or "layers" in fields):
        return OCI_INDEX if "manifests" in fields else OCI_MANIFEST
    if fields.get("schemaVersion") == 1:
        raise InvalidInput("manifest: Docker's schema 1 is not read", remedy="push the image again with a newer client")
    raise InvalidInput(f"manifest: media type {str(inside or served)[:100]!r} is neither an image nor an index")


def _document(
    data: bytes, served: str | None, default: str, allowed: frozenset[str], what: str
) -> tuple[Mapping[str, Any], str]:
    fields = read_json(data, what)
    if fields.get("schemaVersion") != 2:
        raise InvalidInput(f"{what}: schemaVersion is not 2")
    found = fields.get("mediaType") or (served or "").partition(";")[0].strip() or default
    if found not in allowed:
        raise InvalidInput(f"{what}: media type {str(found)[:100]!r} is not one of an {what}")
    return fields, str(found)


def _read_subject(fields: Mapping[str, Any], what: str) -> Descriptor | None:
    value = fields.get("subject")
    return None if value is None else Descriptor.from_json(value, f"{what}.subject")


def _subject(subject: Descriptor | None) -> Json:
    return {} if subject is None else {"subject": subject.as_json()}


def _platform(value: object, what: str) -> Platform | None:
    if value is None:
        return None
    fields = _mapping(value, f"{what}.platform")
    parts = [_text(fields.get(name), f"{what}.platform.{name}") for name in ("os", "architecture", "variant")]
    if not parts[0] or not parts[1]:
        return None
    if any("/" in part for part in parts):
        raise InvalidInput(f"{what}: a platform's part has a slash")
    return Platform.parse("/".join(part for part in parts if part))


def _named(**fields: Any) -> Json:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in fields.items() if value}


def _mapping(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what}: missing or no JSON object")
    return value


def _items(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise InvalidInput(f"{what}: missing or no list")
    if len(value) > _ITEMS_LIMIT:
        raise LimitExceeded(f"{what}: more than {_ITEMS_LIMIT} items")
    return value


def _strings(value: object, what: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise InvalidInput(f"{what}: not an object of strings")
    return value


def _texts(value: object, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InvalidInput(f"{what}: not a list of strings")
    return tuple(value)


def _keys(value: object, what: str) -> tuple[str, ...]:
    return () if value is None else tuple(sorted(_mapping(value, what)))


def _text(value: object, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"{what}: not a string")
    return value


def _optional_text(value: object, what: str) -> str | None:
    return _text(value, what) or None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
