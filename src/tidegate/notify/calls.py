"""A call of a hook: whether it comes from who knows the token, and of which event it tells. Pure.

Each forge and registry has its own way to prove that it knows the token: a signature of the body (GitHub, Gitea,
Bitbucket, Nexus, `generic-hmac`), the token in a header (GitLab, Harbor, Distribution), or nothing besides the path,
which nobody can guess who lacks the token (Docker Hub, Quay, ACR, CDEvents, `generic`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tidegate.base.errors import Denied, InvalidInput
from tidegate.base.frozen import frozen

_DIGESTS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
_PING = frozenset({"ping", "diagnostics:ping"})
_PACKAGES = frozenset({"package", "registry_package"})
"""What GitHub calls the news of its registry."""


@frozen
class Call:
    """A request at a hook. The names of `headers` are in lower case."""

    headers: Mapping[str, str]
    body: bytes


def news(kind: str, call: Call, token: str, events: Collection[str] = ()) -> str | None:
    """The event of which a call tells a Receiver of type `kind`, or None where it tells nothing that counts: a ping, or
    an event that is not among `events` (letter case does not matter; none given means all).

    Raises Denied where the call does not prove that it knows the token, InvalidInput where it is none of that type.
    """
    event = _READERS[kind](call, token)
    if event.lower() in _PING:
        return None
    wanted = {one.lower() for one in events} or (_PACKAGES if kind == "ghcr" else set())
    return event if not wanted or event.lower() in wanted else None


def _github(call: Call, token: str) -> str:
    _signed(call, token, "x-hub-signature-256", "x-hub-signature")
    return _header(call, "x-github-event", "GitHub")


def _gitea(call: Call, token: str) -> str:
    """Gitea and Forgejo sign as GitHub does, and besides without naming the digest."""
    given = call.headers.get("x-gitea-signature") or call.headers.get("x-forgejo-signature")
    if given and "x-hub-signature-256" not in call.headers:
        _equal(_hexdigest("sha256", call.body, token), given)
    else:
        _signed(call, token, "x-hub-signature-256")
    name = "x-gitea-event" if "x-gitea-event" in call.headers else "x-forgejo-event"
    return _header(call, name, "Gitea")


def _bitbucket(call: Call, token: str) -> str:
    event = _header(call, "x-event-key", "Bitbucket")
    _signed(call, token, "x-hub-signature")
    return event


def _gitlab(call: Call, token: str) -> str:
    _equal(token, call.headers.get("x-gitlab-token", ""))
    return _header(call, "x-gitlab-event", "GitLab")


def _generic(_call: Call, _token: str) -> str:
    return "generic"


def _generic_hmac(call: Call, token: str) -> str:
    _signed(call, token, "x-signature")
    return "generic-hmac"


def _harbor(call: Call, token: str) -> str:
    """Older Harbors send no type."""
    _equal(token, call.headers.get("authorization", ""))
    kind = _document(call).get("type")
    return kind if isinstance(kind, str) and kind else "push"


def _docker_hub(call: Call, _token: str) -> str:
    found = _document(call)
    if not isinstance(found.get("push_data"), Mapping) or not isinstance(found.get("repository"), Mapping):
        raise InvalidInput("the body is none of Docker Hub: it has no push_data and repository")
    return "push"


def _quay(call: Call, _token: str) -> str:
    found = _document(call)
    if "docker_url" not in found or "updated_tags" not in found:
        raise InvalidInput("the body is none of Quay: it has no docker_url and updated_tags")
    return "push"


def _acr(call: Call, _token: str) -> str:
    action = _document(call).get("action")
    if not isinstance(action, str) or not action:
        raise InvalidInput("the body is none of Azure's registry: it has no action")
    return action


def _nexus(call: Call, token: str) -> str:
    _equal(_hexdigest("sha1", call.body, token), call.headers.get("x-nexus-webhook-signature", ""))
    action = _document(call).get("action")
    return action if isinstance(action, str) and action else "UPDATED"


def _cd_events(call: Call, _token: str) -> str:
    """In the structured form the body is the event with its context, in the binary one headers say the type."""
    if kind := call.headers.get("ce-type"):
        return kind
    found = _document(call)
    context = found.get("context")
    kind = context.get("type") if isinstance(context, Mapping) else found.get("type")
    if not isinstance(kind, str) or not kind:
        raise InvalidInput("the body is no CDEvent: it has no context.type")
    return kind


def _distribution(call: Call, token: str) -> str:
    """One call may tell of many events: a push among them is what counts."""
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    _equal(token, given.strip() if scheme.lower() == "bearer" else call.headers.get("authorization", ""))
    told = _document(call).get("events")
    if not isinstance(told, list):
        raise InvalidInput("the body is no notification of a registry: it has no events")
    actions = [one["action"] for one in told if isinstance(one, Mapping) and isinstance(one.get("action"), str)]
    return "push" if "push" in actions else next(iter(actions), "ping")


_READERS: Mapping[str, Callable[[Call, str], str]] = {
    "generic": _generic,
    "generic-hmac": _generic_hmac,
    "github": _github,
    "ghcr": _github,
    "gitlab": _gitlab,
    "gitea": _gitea,
    "bitbucket": _bitbucket,
    "harbor": _harbor,
    "dockerhub": _docker_hub,
    "quay": _quay,
    "acr": _acr,
    "nexus": _nexus,
    "cdevents": _cd_events,
    "distribution": _distribution,
}
KNOWN_TYPES = frozenset(_READERS)


def _signed(call: Call, token: str, *names: str) -> None:
    """The first of these headers that is there has `DIGEST=HEX`, as in GitHub's."""
    given = next((call.headers[name] for name in names if name in call.headers), "")
    digest, _, signature = given.partition("=")
    if digest not in _DIGESTS:
        raise Denied(f"the signature in {names[0]} is missing or of an unknown kind")
    _equal(_hexdigest(digest, call.body, token), signature)


def _hexdigest(digest: str, body: bytes, token: str) -> str:
    return hmac.new(token.encode(), body, _DIGESTS[digest]).hexdigest()


def _equal(wanted: str, given: str) -> None:
    """In a time that says nothing of where they differ."""
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape")):
        raise Denied("the signature or token is missing or wrong")


def _header(call: Call, name: str, forge: str) -> str:
    value = call.headers.get(name, "").strip()
    if not value:
        raise InvalidInput(f"the call is none of {forge}: it has no header {name}")
    return value


def _document(call: Call) -> Mapping[str, Any]:
    try:
        found = json.loads(call.body)
    except (ValueError, RecursionError):
        raise InvalidInput("the body is not JSON") from None
    if not isinstance(found, Mapping):
        raise InvalidInput("the body is no JSON object")
    return found
