"""Registry credentials as Docker's config.json holds them, and which of them a repository gets. Pure.

A secret never shows in a repr or an error.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatchcase

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.reference import DEFAULT_REGISTRY, Repository
from tidegate.oci.routes import Route

_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_LIMIT = 1024 * 1024
MOST_LOGINS = 500
"""Entries of one file or Secret: each is looked at for each request."""
_TOKEN = re.compile(r"[!-~]*", re.ASCII)  # a header carries it


@frozen
class Login:
    """What proves who we are: a user and password, or a token.

    `identity_token` is an OAuth2 refresh token for the registry's realm, `registry_token` a ready Bearer token.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str | None:
        """The value of an Authorization header, or None where there is no user and password."""
        if not self.username and not self.password:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@frozen
class Credentials:
    """Logins by registry host, each perhaps for a path under it only: `ghcr.io`, `registry.example:5000/team`."""

    logins: Mapping[str, Login] = field(default_factory=dict)

    @classmethod
    def from_docker_config(cls, data: bytes) -> Credentials:
        """Read `.dockerconfigjson` (`{"auths": …}`) or the older `.dockercfg` (the inner object alone).

        Keys may have a scheme and `/v1/` or `/v2/` after the host, as `docker login` writes them; hosts may have `*`,
        as Kubernetes reads them. Of two keys for the same place the later one counts, unless it holds nothing, as where
        `docker login` has left it to a credential helper. Raises InvalidInput.
        """
        where = Where(field=".dockerconfigjson")
        try:
            value = json.loads(data) if len(data) <= _LIMIT else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise InvalidInput("the registry credentials are not a JSON object as docker's config.json is", where=where)
        auths = value.get("auths", {}) if "auths" in value or "credHelpers" in value else value
        if not isinstance(auths, dict):
            raise InvalidInput("the registry credentials' auths is no object", where=where)
        if len(auths) > MOST_LOGINS:
            raise InvalidInput(f"the registry credentials have more than {MOST_LOGINS} entries", where=where)
        logins: dict[str, Login] = {}
        for key, entry in auths.items():
            place, login = _normal_key(key), _login(key, entry)
            if place not in logins or login != Login():
                logins[place] = login
        return cls(logins)

    def for_repository(self, repository: Repository) -> Login | None:
        """The login whose key fits best: the longest path first, an exact host before one with `*`."""
        best: tuple[int, bool, str] | None = None
        for key in self.logins:
            host, _, path = key.partition("/")
            if not _host_fits(host, repository.registry):
                continue
            if path and repository.path != path and not repository.path.startswith(f"{path}/"):
                continue
            rank = (len(path), "*" not in host, key)
            best = rank if best is None else max(best, rank)
        return None if best is None else self.logins[best[2]]


@frozen
class Access:
    """How an image's registry may be reached: with which logins, on which way, and whether over plain http."""

    credentials: Credentials = field(default_factory=Credentials)
    insecure: bool = False
    route: Route = field(default_factory=Route)


def _normal_key(key: str) -> str:
    rest = key.strip().removeprefix("https://").removeprefix("http://").rstrip("/")
    host, _, path = rest.partition("/")
    host = DEFAULT_REGISTRY if host.lower() in _DOCKER_HUB else host.lower()
    version, _, below = path.partition("/")
    path = below if version in ("v1", "v2") else path
    return f"{host}/{path}" if path else host


def _host_fits(pattern: str, host: str) -> bool:
    """`*` stands for anything inside one label, as in Kubernetes' image pull secrets."""
    name, _, port = host.lower().partition(":")
    wanted, _, wanted_port = pattern.partition(":")
    labels, patterns = name.split("."), wanted.split(".")
    if port != wanted_port or len(labels) != len(patterns):
        return False
    return all(
        fnmatchcase(label, part) if "*" in part else label == part for label, part in zip(labels, patterns, strict=True)
    )


def _login(key: str, entry: object) -> Login:
    where = Where(field=f"auths[{key[:100]!r}]")
    if not isinstance(entry, dict):
        raise InvalidInput("the registry credentials are no object", where=where)
    texts = {name: entry.get(name) or "" for name in ("username", "password", "auth", "identitytoken", "registrytoken")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise InvalidInput("a field of the registry credentials is no string", where=where)
    if not all(_is_utf8(text) for text in texts.values()):
        raise InvalidInput("a field of the registry credentials is no text", where=where)
    token = texts["registrytoken"].strip()
    if not _TOKEN.fullmatch(token):
        raise InvalidInput("registrytoken has a character that no token has", where=where)
    username, password = texts["username"], texts["password"]
    if texts["auth"]:
        username, password = _decode(texts["auth"], where)
    return Login(username, password, texts["identitytoken"], token)


def _is_utf8(text: str) -> bool:
    """JSON may spell half of a character, which can't be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decode(auth: str, where: Where) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InvalidInput("auth is not the base64 of user:password", where=where) from None
    username, colon, password = text.partition(":")
    if not colon:
        raise InvalidInput("auth is not the base64 of user:password", where=where)
    return username, password.rstrip("\0")
