"""Reads kubeconfig files as kubectl does: several are merged, the first to name a thing counts, paths are relative to
their file. Every fault names the file and the field.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Document, load_documents
from tidegate.engine.clock import Clock
from tidegate.kinds.fields import Fields, InvalidObject
from tidegate.kube.access import (
    FILE_LIMIT,
    Certificate,
    Connection,
    Credential,
    FixedCredential,
    Headers,
    Identity,
    TokenFile,
    Verification,
    basic,
    bearer,
    impersonation,
)
from tidegate.kube.exec_plugin import API_VERSIONS, ExecCredential, ExecSpec, command_path

_INTERACTIVE = ("Never", "IfAvailable", "Always")
Problems = list[tuple[tuple[str | int, ...], str]]


@frozen
class _Source:
    """One file."""

    path: Path
    document: Document

    @property
    def folder(self) -> Path:
        return self.path.parent


@frozen
class _Entry:
    """A named cluster, user or context: where it is, and its fields."""

    source: _Source
    section: str
    index: int
    fields: Fields
    problems: Problems

    def finish(self) -> None:
        """InvalidInput with the file, line and field of the first fault."""
        if self.problems:
            where = self.source.document.where(self.problems[0][0])
            raise InvalidObject(self.problems, where=where)

    def where(self, *path: str) -> Where:
        """The place of a field."""
        return self.source.document.where((self.section, self.index, _INSIDE[self.section], *path))


_INSIDE = {"clusters": "cluster", "users": "user", "contexts": "context"}
_CONFINED = "is not taken from a kubeconfig of a Secret"
_EMBED = "kubectl config view --raw --flatten writes files as data"
_TOKEN = "give the user a token, or client-certificate-data and client-key-data"  # noqa: S105 - a sentence
_REFUSED: Mapping[str, Mapping[str, str]] = {
    "clusters": {
        "certificate-authority": _EMBED,
        "insecure-skip-tls-verify": "give certificate-authority-data",
    },
    "users": {
        "exec": _TOKEN,
        "auth-provider": _TOKEN,
        "tokenFile": _TOKEN,
        "client-certificate": _EMBED,
        "client-key": _EMBED,
    },
}


class Kubeconfig:
    """The merged files."""

    def __init__(self, sources: Sequence[_Source]):
        self._sources = sources

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Kubeconfig:
        """Read the files that are there; NotFound where none is. InvalidInput names the file and the place."""
        found = [source for path in paths if (source := _read(path)) is not None]
        if not found:
            names = ", ".join(map(str, paths))
            raise NotFound(f"there is no kubeconfig: {names}", remedy="set KUBECONFIG, or give --kubeconfig FILE")
        return cls(found)

    @classmethod
    def confined(cls, data: bytes, name: str) -> Kubeconfig:
        """One that somebody else wrote, under the name of where it is. InvalidInput, by its field, for what would start
        a program, read a file here or pass over whose certificate the server shows.
        """
        source = _source(Path(name), data, name)
        if source is None:
            raise InvalidInput("this is no kubeconfig", where=Where(file=name))
        for section, refused in _REFUSED.items():
            for index, item in enumerate(_list(source, section)):
                inside = item.get(_INSIDE[section]) if isinstance(item, Mapping) else None
                for field in refused:
                    if isinstance(inside, Mapping) and inside.get(field):
                        where = source.document.where((section, index, _INSIDE[section], field))
                        raise InvalidInput(f"{field} {_CONFINED}", where=where, remedy=refused[field])
        return cls([source])

    def connection(self, clock: Clock, context: str | None = None) -> Connection:
        """The connection of a context; without one, of the current context."""
        name = context or self._current()
        chosen = self._entry("contexts", name)
        cluster_name, user_name = chosen.fields.text("cluster", required=True), chosen.fields.text("user")
        namespace = chosen.fields.optional_text("namespace")
        chosen.finish()
        cluster = self._entry("clusters", cluster_name, of=chosen.where("cluster"))
        server = cluster.fields.text("server", required=True).rstrip("/")
        if server and not server.startswith(("https://", "http://")):
            cluster.fields.wrong("server", f"{server[:100]!r} is no URL")
        proxy = cluster.fields.optional_text("proxy-url")
        verification = _verification(cluster)
        cluster.finish()
        credential: Credential = FixedCredential(Identity())
        if user_name:
            user = self._entry("users", user_name, of=chosen.where("user"))
            credential = _credential(user, cluster, clock)
        origin = f"the context {name} of {chosen.source.path}"
        return Connection(server, credential, verification, proxy, namespace, origin, "is the cluster running?")

    def _current(self) -> str:
        for source in self._sources:
            name = source.document.value.get("current-context")
            if isinstance(name, str) and name:
                return name
        where = Where(file=str(self._sources[0].path), field="current-context")
        raise InvalidInput("no context is chosen", where=where, remedy="give --context NAME")

    def _entry(self, section: str, name: str, *, of: Where | None = None) -> _Entry:
        names = []
        for source in self._sources:
            for index, item in enumerate(_list(source, section)):
                if isinstance(item, Mapping) and item.get("name") == name:
                    return _entry(source, section, index, item)
                names += [str(item.get("name"))] if isinstance(item, Mapping) else []
        where = of or Where(file=str(self._sources[0].path), field=section)
        remedy = f"one of: {', '.join(names)}" if names else None
        raise NotFound(f"there is no {_INSIDE[section]} named {name!r}", where=where, remedy=remedy)


def _read(path: Path) -> _Source | None:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"the kubeconfig can't be read: {error.strerror}", where=Where(file=str(path))) from error
    return _source(path.absolute(), data, str(path))


def _source(path: Path, data: bytes, name: str) -> _Source | None:
    if len(data) > FILE_LIMIT:
        raise InvalidInput(f"a kubeconfig has at most {FILE_LIMIT} bytes", where=Where(file=name))
    documents = load_documents(data, file=name)
    if not documents:
        return None
    if not isinstance(documents[0].value, dict):
        raise InvalidInput("this is no kubeconfig", where=Where(file=name))
    return _Source(path, documents[0])


def _list(source: _Source, section: str) -> list[object]:
    value = source.document.value.get(section)
    if value is not None and not isinstance(value, list):
        raise InvalidInput("must be a list", where=source.document.where((section,)))
    return value or []


def _entry(source: _Source, section: str, index: int, item: Mapping[str, object]) -> _Entry:
    inside = item.get(_INSIDE[section])
    path = (section, index, _INSIDE[section])
    problems: Problems = []
    if inside is not None and not isinstance(inside, Mapping):
        raise InvalidInput("must be a mapping", where=source.document.where(path))
    return _Entry(source, section, index, Fields(inside or {}, path, problems, []), problems)


def _verification(cluster: _Entry) -> Verification:
    fields = cluster.fields
    authority = _data(cluster, "certificate-authority")
    return Verification(
        authority, fields.optional_text("tls-server-name"), insecure=fields.flag("insecure-skip-tls-verify")
    )


def _data(entry: _Entry, name: str) -> bytes | None:
    """`NAME-data` in base64, else the file that `NAME` names."""
    fields = entry.fields
    if encoded := _secret(fields, f"{name}-data"):
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error:
            fields.wrong(f"{name}-data", "is no base64")
            return None
    if path := fields.text(name):
        try:
            with (entry.source.folder / path).open("rb") as file:
                return file.read(FILE_LIMIT)
        except OSError as error:
            fields.wrong(name, f"{path} can't be read: {error.strerror}")
    return None


def _secret(fields: Fields, name: str) -> str:
    """A text that no message may show, whatever it is."""
    value = fields.raw(name)
    if value is not None and not isinstance(value, str):
        fields.wrong(name, "must be a string: put it in quotes")
    return value if isinstance(value, str) else ""


def _credential(user: _Entry, cluster: _Entry, clock: Clock) -> Credential:
    fields = user.fields
    acting = _acting(user)
    plugin = _plugin(user, cluster)
    if fields.has("auth-provider"):
        fields.wrong("auth-provider", "is no longer supported by Kubernetes: use an exec plugin")
    certificate, key = _data(user, "client-certificate"), _data(user, "client-key")
    if (certificate is None) != (key is None):
        fields.wrong("client-key" if key is None else "client-certificate", "is required beside the other of the pair")
    pair = Certificate(certificate, key) if certificate is not None and key is not None else None
    token, token_file = _secret(fields, "token"), fields.text("tokenFile")
    name, password = fields.text("username"), _secret(fields, "password")
    user.finish()
    if token_file:
        # As kubectl does it: the file counts, the token is what was in it when the kubeconfig was written.
        return TokenFile(user.source.folder / token_file, clock, Identity(acting, pair))
    if token:
        return FixedCredential(Identity((*bearer(token), *acting), pair))
    if name:
        return FixedCredential(Identity((*basic(name, password), *acting), pair))
    if plugin is not None and pair is None:
        return ExecCredential(plugin, clock, acting)
    return FixedCredential(Identity(acting, pair))


def _acting(user: _Entry) -> Headers:
    fields = user.fields
    extra = fields.child("as-user-extra")
    values = user.source.document.value["users"][user.index].get("user", {}).get("as-user-extra") or {}
    named = [(str(name), extra.texts(str(name))) for name in values] if extra is not None else []
    headers = impersonation(fields.text("as"), fields.texts("as-groups"), fields.text("as-uid"), named)
    if headers and headers[0][0] != "Impersonate-User":
        fields.wrong("as", "is required beside as-groups, as-uid and as-user-extra")
    return headers


def _plugin(user: _Entry, cluster: _Entry) -> ExecSpec | None:
    fields = user.fields.child("exec")
    if fields is None:
        return None
    version = fields.text("apiVersion", required=True, choices=API_VERSIONS)
    command = fields.text("command", required=True)
    if fields.text("interactiveMode", choices=_INTERACTIVE) == "Always":
        fields.wrong("interactiveMode", "Always needs a terminal, which is not given to plugins here")
    environment = {
        item.text("name", required=True): item.text("value") for item in fields.children("env") if item is not None
    }
    return ExecSpec(
        api_version=version,
        command=command_path(command, user.source.folder) if command else "",
        where=user.where("exec", "command"),
        arguments=fields.texts("args"),
        environment=environment,
        install_hint=fields.text("installHint"),
        cluster=_told(cluster) if fields.flag("provideClusterInfo") else None,
    )


def _told(cluster: _Entry) -> dict[str, object]:
    """The cluster as a plugin is told it."""
    found: dict[str, object] = {"server": cluster.fields.text("server")}
    verification = _verification(cluster)
    if verification.authority is not None:
        found["certificate-authority-data"] = base64.b64encode(verification.authority).decode()
    if verification.server_name:
        found["tls-server-name"] = verification.server_name
    if verification.insecure:
        found["insecure-skip-tls-verify"] = True
    return found


def default_paths(environment: Mapping[str, str]) -> list[Path]:
    """The files of KUBECONFIG, else `~/.kube/config`."""
    given = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    return given or [Path(environment.get("HOME") or Path.home()) / ".kube" / "config"]
