"""Image references as go-containerregistry's `name` package reads them (weak validation): `ghcr.io/acme/web:1.0`."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

DEFAULT_REGISTRY = "index.docker.io"
DEFAULT_TAG = "latest"
LONGEST_PATH = 255
_LONGEST_SHOWN = 300
_PATH = re.compile(r"[a-z0-9_\-./]+", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_\-.]{1,128}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PORT = re.compile(r"(?::[0-9]*)?")
_HOST = re.compile(r"[^\x00-\x20\x7f#%/?@\[\\^`{|}]*")


@frozen(order=True)
class Repository:
    """A registry's host and a repository in it, canonical: `index.docker.io/library/web`."""

    registry: str
    path: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"


@frozen(order=True)
class Reference:
    """A repository with a tag or a digest; where both were written, the digest is what counts."""

    repository: Repository
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse(text: str) -> Reference:
    """Read a reference; `latest` where neither tag nor digest is given. Raises InvalidInput.

    A tag beside a digest must be valid, and is then left out.
    """
    base, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _invalid(text, f"{_shown(digest)} is no sha256 digest")
    name, tag = _split_tag(base)
    if tag is not None and not _TAG.fullmatch(tag):
        raise _invalid(text, f"{_shown(tag)} is no tag")
    repository = _repository(text, name)
    if not at:
        return Reference(repository, tag or DEFAULT_TAG)
    _check_path(text, repository.path)
    return Reference(repository, None, digest)


def has_version(text: str) -> bool:
    """Whether a reference has a tag or a digest of its own. Raises InvalidInput for what is no reference."""
    parse(text)
    return "@" in text or _split_tag(text)[1] is not None


def parse_repository(text: str) -> Repository:
    """Read a name without tag and digest, as ImageRepository's `spec.image` must be. Raises InvalidInput."""
    return _repository(text, text)


def _split_tag(text: str) -> tuple[str, str | None]:
    base, colon, tag = text.rpartition(":")
    return (base, tag) if colon and "/" not in tag else (text, None)


def _repository(text: str, name: str) -> Repository:
    """What stands before the first slash is a registry if it has a dot or a colon or is `localhost`."""
    first, slash, rest = name.partition("/")
    is_registry = slash and (first == "localhost" or "." in first or ":" in first)
    registry, path = (first, rest) if is_registry else ("", name)
    _check_path(text, path)
    if not _is_authority(registry):
        raise _invalid(text, f"{_shown(registry)} is no registry host")
    if registry in ("", "docker.io"):
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"library/{path}"
    return Repository(registry, path)


def _check_path(text: str, path: str) -> None:
    if not _PATH.fullmatch(path) or len(path) > LONGEST_PATH:
        raise _invalid(text, f"the repository {_shown(path)} may hold 1 to {LONGEST_PATH} of a-z, 0-9, _ - . and /")


def _is_authority(text: str) -> bool:
    """Whether Go's url.Parse takes `//text` for a host and optional port, and nothing else, and leaves it as it is."""
    if text.startswith("["):
        address, _, port = text[1:].rpartition("]")
        try:
            IPv6Address(address)
        except AddressValueError:
            return False
        return "%" not in address and _PORT.fullmatch(port) is not None
    _, colon, port = text.rpartition(":")
    return _HOST.fullmatch(text) is not None and _PORT.fullmatch(colon + port if colon else "") is not None


def _invalid(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"{_shown(text)} is no image reference: {why}", remedy="write HOST/REPOSITORY[:TAG][@sha256:…]")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
