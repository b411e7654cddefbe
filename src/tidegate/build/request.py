"""What a build is asked for and what it came to, as values that cross to the child process as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login

Json = dict[str, Any]

BUILDERS = ("auto", "native", "mixed", "buildah")
"""auto: native, and mixed where a line needs it. The others are as docs/build.md says."""


@frozen
class CacheSpec:
    """A cache for other machines: `type` is `registry` with a reference in `place`, or `local` with a folder. `mode` is
    `min` for the layers of the images that are built, `max` for those of all stages.
    """

    type: str
    place: str
    mode: str = "min"
    ignore_error: bool = False


@frozen
class BuildRequest:
    """One build: a context and a Dockerfile become one index over `platforms`, pushed under every one of `tags`.

    `dockerfile` is absolute or relative to the context. Neither it nor the context may lie outside of `root`, a link
    there notwithstanding; the context itself is the root where none is given. `bases` maps a name in FROM to what
    stands in for it (`python:3.11-slim` → `debian:bookworm`). `created` is in seconds since the epoch. `cache` is a
    folder that builds share. Without tags nothing is pushed, and the image is in the cache only. `shown` is what errors
    call the Dockerfile; its path below the root where none is given.

    `builder` is one of BUILDERS. `network` is what a RUN that runs may reach: "host" for what this machine reaches, or
    "none". `output` is `oci:FOLDER` or `oci-archive:FILE`. `index_annotations` are the index's, which are the same as
    the manifests' where they are None. `provenance` is "min", "max" (with the build arguments) or empty for none, and
    `sbom` asks for a list of packages: statements in the index. Build secrets are no part of a request: nothing that it
    is written to may hold them.
    """

    context: Path
    platforms: tuple[Platform, ...]
    tags: tuple[Reference, ...]
    cache: Path
    created: int
    dockerfile: str = "Dockerfile"
    root: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    bases: Mapping[str, str] = field(default_factory=dict)
    shown: str | None = None
    builder: str = "auto"
    no_cache: bool = False
    network: str = "host"
    output: str | None = None
    index_annotations: Mapping[str, str] | None = None
    provenance: str = ""
    sbom: bool = False
    cache_from: tuple[CacheSpec, ...] = ()
    cache_to: tuple[CacheSpec, ...] = ()

    def as_json(self) -> Json:
        """The request as JSON holds it."""
        return {
            "context": str(self.context),
            "platforms": [str(platform) for platform in self.platforms],
            "tags": [str(tag) for tag in self.tags],
            "cache": str(self.cache),
            "created": self.created,
            "dockerfile": self.dockerfile,
            "root": None if self.root is None else str(self.root),
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "build_args": dict(self.build_args),
            "target": self.target,
            "bases": dict(self.bases),
            "shown": self.shown,
            "builder": self.builder,
            "no_cache": self.no_cache,
            "network": self.network,
            "output": self.output,
            "provenance": self.provenance,
            "sbom": self.sbom,
            "cache_from": [_spec_json(spec) for spec in self.cache_from],
            "cache_to": [_spec_json(spec) for spec in self.cache_to],
            "index_annotations": None if self.index_annotations is None else dict(self.index_annotations),
        }

    @classmethod
    def from_json(cls, value: Json) -> BuildRequest:
        """Read what `as_json` wrote."""
        return cls(
            context=Path(value["context"]),
            platforms=tuple(Platform.parse(text) for text in value["platforms"]),
            tags=tuple(parse(text) for text in value["tags"]),
            cache=Path(value["cache"]),
            created=int(value["created"]),
            dockerfile=value["dockerfile"],
            root=None if value["root"] is None else Path(value["root"]),
            labels=value["labels"],
            annotations=value["annotations"],
            build_args=value["build_args"],
            target=value["target"],
            bases=value["bases"],
            shown=value["shown"],
            builder=value["builder"],
            no_cache=value["no_cache"],
            network=value["network"],
            output=value["output"],
            provenance=value["provenance"],
            sbom=value["sbom"],
            cache_from=tuple(CacheSpec(**spec) for spec in value["cache_from"]),
            cache_to=tuple(CacheSpec(**spec) for spec in value["cache_to"]),
            index_annotations=value["index_annotations"],
        )


@frozen
class RegistrySettings:
    """How registries are reached: where a host is really asked, and who we are there. Never shown, never in argv.
    `mirrors` says for a host from which URL bases are pulled instead: nothing is pushed there, and no login shown.
    """

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    logins: Mapping[str, Login] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> Json:
        """The settings with their secrets, for the child's stdin alone."""
        return {
            "endpoints": {
                host: {
                    "url": endpoint.url,
                    "login": None if endpoint.login is None else _login_json(endpoint.login),
                    "insecure": endpoint.insecure,
                }
                for host, endpoint in self.endpoints.items()
            },
            "logins": {key: _login_json(login) for key, login in self.logins.items()},
            "mirrors": dict(self.mirrors),
        }

    @classmethod
    def from_json(cls, value: Json) -> RegistrySettings:
        """Read what `as_json` wrote."""
        return cls(
            {
                host: Endpoint(
                    entry["url"], None if entry["login"] is None else Login(**entry["login"]), entry["insecure"]
                )
                for host, entry in value["endpoints"].items()
            },
            {key: Login(**entry) for key, entry in value["logins"].items()},
            dict(value["mirrors"]),
        )

    @property
    def sources(self) -> Mapping[str, Endpoint]:
        """Where hosts are asked for bases: this home's own registry before any mirror."""
        return {host: Endpoint(url) for host, url in self.mirrors.items()} | dict(self.endpoints)


def _spec_json(spec: CacheSpec) -> Json:
    return {name: getattr(spec, name) for name in ("type", "place", "mode", "ignore_error")}


def _login_json(login: Login) -> Json:
    return {name: getattr(login, name) for name in ("username", "password", "identity_token", "registry_token")}


@frozen
class BuildResult:
    """What was built: the index's digest, and each platform's manifest's."""

    index_digest: str
    manifests: Mapping[str, str]

    def as_json(self) -> Json:
        """The result as JSON holds it."""
        return {"index_digest": self.index_digest, "manifests": dict(self.manifests)}

    @classmethod
    def from_json(cls, value: Json) -> BuildResult:
        """Read what `as_json` wrote."""
        return cls(value["index_digest"], value["manifests"])


def parse_spec(fields: Mapping[str, str], *, writes: bool) -> CacheSpec:
    """buildx's `type=registry,ref=…`, `type=local,src=…|dest=…` or a reference alone. Raises InvalidInput."""
    kind = fields.get("type", "registry")
    names = {"registry": "ref", "local": "dest" if writes else "src"}
    if kind not in names:
        raise InvalidInput(f"caches of type {kind!r} are not kept here", remedy="type is registry or local")
    place = fields.get(names[kind], "")
    if not place:
        raise InvalidInput(f"a cache of type {kind} needs {names[kind]}=…")
    mode = fields.get("mode", "min")
    if mode not in ("min", "max"):
        raise InvalidInput(f"a cache's mode is min or max, not {mode!r}")
    if kind == "registry":
        place = str(parse(place))
    return CacheSpec(kind, place, mode, fields.get("ignore-error", "false").lower() == "true")


def check(request: BuildRequest) -> None:
    """Raise InvalidInput where a request asks for nothing, or for one platform twice."""
    if not request.platforms:
        raise InvalidInput("a build needs a platform", remedy="name one: linux/arm/v7")
    if len(set(request.platforms)) != len(request.platforms):
        raise InvalidInput(f"a platform is named twice: {', '.join(map(str, request.platforms))}")
    if request.builder not in BUILDERS:
        raise InvalidInput(f"there is no builder {request.builder!r}", remedy=f"it is one of {', '.join(BUILDERS)}")
    if request.output is not None and not request.output.startswith(("oci:", "oci-archive:")):
        raise InvalidInput(f"the output {request.output!r} is unknown", remedy="write oci:FOLDER or oci-archive:FILE")
