"""What each kind of Provider is sent for an event: a request, in the form that its API documents. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any
from urllib.parse import quote, urlsplit

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.alert import ERROR
from tidegate.notify.commit_status import status_request
from tidegate.notify.request import Request
from tidegate.notify.telling import Told

USERNAME = "tidegate"
TELEGRAM = "https://api.telegram.org"
_OFFICE_CARDS = ".webhook.office.com"
"""Hosts of the older Teams webhooks, which take cards of another form."""
_TELEGRAM_LIMIT, _TEXT_LIMIT = 4096, 8_000


@frozen
class Destination:
    """A Provider with what its Secret adds. `uid` is the Provider's own."""

    type: str
    address: str
    channel: str = ""
    username: str = ""
    uid: str = ""
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def request_for(destination: Destination, told: Told) -> Request | None:
    """The request that tells an event; None where the Provider has nothing to be told of it (a commit's status, of an
    event that is about no commit). InvalidInput where the Provider lacks what its API needs.
    """
    return _MAKERS[destination.type](destination, told)


def _generic(to: Destination, told: Told) -> Request:
    headers = {"Gotk-Component": told.component, **to.headers}
    return Request("POST", _address(to), told.as_json(), headers)


def _generic_hmac(to: Destination, told: Told) -> Request:
    body = json.dumps(told.as_json(), separators=(",", ":")).encode()
    signature = hmac.new(_token(to).encode(), body, "sha256").hexdigest()
    headers = {"Gotk-Component": told.component, "X-Signature": f"sha256={signature}", **to.headers}
    return Request("POST", _address(to), body, headers)


def _slack(to: Destination, told: Told) -> Request:
    """An incoming webhook; with a token, the API `chat.postMessage`."""
    headers = {"Authorization": f"Bearer {to.token}"} if to.token else {}
    channel = {"channel": to.channel} if to.channel else {}
    return Request("POST", _address(to), {**channel, **_slack_message(to, told)}, headers)


def _discord(to: Destination, told: Told) -> Request:
    """Discord takes Slack's form at its webhook's `/slack`."""
    address = _address(to).rstrip("/")
    url = address if address.endswith("/slack") else f"{address}/slack"
    return Request("POST", url, _slack_message(to, told))


def _slack_message(to: Destination, told: Told) -> dict[str, Any]:
    attachment = {
        "color": "danger" if told.severity == ERROR else "good",
        "author_name": _author(told),
        "text": told.message[:_TEXT_LIMIT],
        "mrkdwn_in": ["text"],
        "fields": [{"title": name, "value": value, "short": False} for name, value in told.metadata.items()],
    }
    return {"username": to.username or USERNAME, "attachments": [attachment]}


def _matrix(to: Destination, told: Told) -> Request:
    """The transaction's id is that of the event, so that a repeated attempt is one message."""
    if not to.channel:
        raise InvalidInput("a Provider of type matrix needs spec.channel: the room, !ID:SERVER")
    transaction = hashlib.sha256(json.dumps(told.as_json(), sort_keys=True).encode()).hexdigest()
    path = f"/_matrix/client/v3/rooms/{quote(to.channel, safe='')}/send/m.room.message/{transaction}"
    body = {"msgtype": "m.text", "body": _plain(told)}
    return Request("PUT", _address(to).rstrip("/") + path, body, {"Authorization": f"Bearer {_token(to)}"})


def _telegram(to: Destination, told: Told) -> Request:
    if not to.channel:
        raise InvalidInput("a Provider of type telegram needs spec.channel: the chat's id, or @NAME")
    url = f"{(to.address or TELEGRAM).rstrip('/')}/bot{quote(_token(to), safe=':')}/sendMessage"
    return Request("POST", url, {"chat_id": to.channel, "text": _plain(told)[:_TELEGRAM_LIMIT]})


def _teams(to: Destination, told: Told) -> Request:
    host = urlsplit(_address(to)).hostname or ""
    card = _message_card if host.endswith(_OFFICE_CARDS) else _adaptive_card
    return Request("POST", _address(to), card(told))


def _message_card(told: Told) -> dict[str, Any]:
    facts = [{"name": name, "value": value} for name, value in told.metadata.items()]
    return {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": "FF0000" if told.severity == ERROR else "0076D7",
        "summary": _author(told),
        "sections": [{"activityTitle": told.message[:_TEXT_LIMIT], "activitySubtitle": _author(told), "facts": facts}],
    }


def _adaptive_card(told: Told) -> dict[str, Any]:
    color = "attention" if told.severity == ERROR else "good"
    facts = [{"title": name, "value": value} for name, value in told.metadata.items()]
    body = [
        {"type": "TextBlock", "text": _author(told), "weight": "bolder", "color": color, "wrap": True},
        {"type": "TextBlock", "text": told.message[:_TEXT_LIMIT], "wrap": True},
        *([{"type": "FactSet", "facts": facts}] if facts else []),
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _commit_status(to: Destination, told: Told) -> Request | None:
    return status_request(to.type, _address(to), _token(to), told, to.uid)


_MAKERS: Mapping[str, Callable[[Destination, Told], Request | None]] = {
    "generic": _generic,
    "generic-hmac": _generic_hmac,
    "slack": _slack,
    "discord": _discord,
    "matrix": _matrix,
    "telegram": _telegram,
    "msteams": _teams,
    "github": _commit_status,
    "gitlab": _commit_status,
    "gitea": _commit_status,
}


def _author(told: Told) -> str:
    """Flux's name of an object: `kustomization/apps.flux-system`."""
    return f"{told.key.kind.lower()}/{told.key.name}.{told.key.namespace}"


def _plain(told: Told) -> str:
    mark = "🚨" if told.severity == ERROR else "💫"
    lines = [f"{mark} {_author(told)}", told.message[:_TEXT_LIMIT]]
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in told.metadata.items())])


def _address(to: Destination) -> str:
    if not to.address:
        raise InvalidInput("there is no address", remedy="set spec.address, or address in the Secret of spec.secretRef")
    return to.address


def _token(to: Destination) -> str:
    if not to.token:
        raise InvalidInput("there is no token", remedy="name a Secret with the key token in spec.secretRef")
    if not to.token.isascii() or not to.token.isprintable():
        raise InvalidInput("the token holds a character that no token has", remedy="write the Secret anew")
    return to.token
