"""Stands before every door: refuses hosts that are not ours (DNS rebinding) and writes that another site's page sends.

A browser tells where a request comes from; programs such as git and kubectl tell nothing of the kind and pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.kinds.receiver import WEBHOOK_PATH

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
)


class Guard:
    """An ASGI middleware. `hosts` are names besides localhost by which this server is called; addresses always pass,
    since nobody can make a browser's page believe that an address is its own site.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()):
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts) | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if str(scope["path"]).startswith(WEBHOOK_PATH):  # called by any name, and proves itself
            await self._app(scope, receive, _protecting(send))
            return
        refusal = refuse(str(scope["method"]), str(scope["scheme"]), _headers(scope["headers"]), self._hosts)
        if refusal is not None:
            status, text = refusal
            await PlainTextResponse(text + "\n", status, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, receive, _protecting(send))


def refuse(
    method: str, scheme: str, headers: Mapping[str, list[str]], hosts: Collection[str]
) -> tuple[int, str] | None:
    """Why a request is refused, as a status and a sentence; None where it may pass. Pure."""
    given = headers.get("host", [])
    if len(given) != 1:
        return 400, "a request names one Host"
    host = given[0].strip().lower()
    if not is_known(host, hosts):
        return 421, f"{host[:200]!r} is not this server; name it with --host, or use localhost"
    if method in SAFE_METHODS:
        return None
    if any(site.strip().lower() not in _OWN_SITES for site in headers.get("sec-fetch-site", [])):
        return 403, "a page of another site may not write here"
    if any(origin.strip().lower() != f"{scheme}://{host}" for origin in headers.get("origin", [])):
        return 403, "a page of another origin may not write here"
    return None


def is_known(host: str, hosts: Collection[str]) -> bool:
    """Whether a Host header, port included, names this server."""
    name = _without_port(host)
    if name is None:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.removesuffix(".") in hosts or name.endswith(".localhost")
    return True


def _without_port(host: str) -> str | None:
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        return name if bracket and (not rest or (rest[0] == ":" and _is_port(rest[1:]))) else None
    name, colon, port = host.partition(":")
    return name if not colon or _is_port(port) else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in raw:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _protecting(send: Send) -> Send:
    """Headers that keep other sites from reading what this server answers."""

    async def protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            extra = [(name, value) for name, value in _HEADERS if name not in present]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return protected
