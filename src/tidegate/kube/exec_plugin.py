"""Credentials from a program that the kubeconfig names: client.authentication.k8s.io/v1 and v1beta1."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tidegate.base import process
from tidegate.base.errors import CommandFailed, Denied, InvalidInput, MissingTool, TidegateError, Where
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.kube.access import Certificate, Headers, Identity, bearer

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
TIMEOUT = 60.0
OUTPUT_LIMIT = 1024 * 1024
_MARGIN = timedelta(seconds=10)


@frozen
class ExecSpec:
    """What of `users[].user.exec` counts. `cluster` is what the plugin is told where it asks to be."""

    api_version: str
    command: str
    where: Where
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None


class ExecCredential:
    """Asks the program when there is no credential, when it has expired, and after a 401.

    The program gets this process's environment, as kubectl gives it: it is the user's own choice and needs its HOME.
    """

    def __init__(self, spec: ExecSpec, clock: Clock, extra: Headers = ()):
        self._spec = spec
        self._clock = clock
        self._extra = extra
        self._identity: Identity | None = None
        self._expires: datetime | None = None
        self._asking = asyncio.Lock()

    async def identity(self) -> Identity:
        """The credential as last told. Raises what the program's failure comes to, with its words."""
        async with self._asking:
            if self._identity is None or (self._expires and self._clock.now() >= self._expires - _MARGIN):
                self._identity, self._expires = self._read(await self._run())
            return self._identity

    async def renew(self) -> bool:
        """Ask the program again at the next request."""
        self._identity = None
        return True

    async def _run(self) -> bytes:
        spec = self._spec
        told: dict[str, Any] = {"interactive": False}
        if spec.cluster is not None:
            told["cluster"] = dict(spec.cluster)
        info = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": told}
        environment = {**os.environ, **spec.environment, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = await process.run(
                [spec.command, *spec.arguments], env=environment, timeout=TIMEOUT, output_limit=OUTPUT_LIMIT
            )
        except MissingTool as error:
            remedy = spec.install_hint or f"install {Path(spec.command).name}"
            raise MissingTool(
                f"the credential plugin {spec.command} is not there", where=spec.where, remedy=remedy
            ) from (error)
        except CommandFailed as error:
            message = f"{spec.where}: the credential plugin failed: {error.message}"
            output = f"\n{error.output}" if error.output else ""
            remedy = f"run it yourself: {Path(spec.command).name}{output}"
            raise CommandFailed(message, exit_code=error.exit_code, output=error.output, remedy=remedy) from error
        return done.stdout

    def _read(self, output: bytes) -> tuple[Identity, datetime | None]:
        try:
            answer = json.loads(output)
        except ValueError:
            raise self._wrong("wrote no JSON") from None  # its text may hold the credential
        if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
            raise self._wrong("wrote no ExecCredential")
        if answer.get("apiVersion") != self._spec.api_version:
            raise self._wrong(f"answered in {str(answer.get('apiVersion'))[:80]}, not in {self._spec.api_version}")
        status = answer.get("status")
        if not isinstance(status, dict):
            raise self._wrong("wrote no status")
        token, certificate = _text(status, "token"), _text(status, "clientCertificateData")
        key = _text(status, "clientKeyData")
        if bool(certificate) != bool(key) or not (token or certificate):
            raise self._wrong("gave neither a token nor a client certificate with its key")
        pair = Certificate(certificate.encode(), key.encode()) if certificate else None
        headers = (*bearer(token), *self._extra) if token else self._extra
        return Identity(headers, pair), self._expiry(status.get("expirationTimestamp"))

    def _expiry(self, text: object) -> datetime | None:
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise self._wrong("gave an expirationTimestamp that is no time") from error
        if moment.tzinfo is None:
            raise self._wrong("gave an expirationTimestamp without a time zone")
        return moment

    def _wrong(self, what: str) -> TidegateError:
        return Denied(f"the credential plugin {Path(self._spec.command).name} {what}", where=self._spec.where)


def command_path(command: str, folder: Path) -> str:
    """A program as kubectl looks for it: a bare name in PATH, a relative path from the kubeconfig's folder."""
    if not command:
        raise InvalidInput("is required")
    return command if "/" not in command or command.startswith("/") else str(folder / command)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""
