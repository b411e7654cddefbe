"""The status of a commit at GitHub, GitLab and Gitea: what an event about it says, as a request of their APIs. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from tidegate.base.errors import InvalidInput
from tidegate.forge.api import GITLAB, forge_of
from tidegate.kinds.alert import ERROR
from tidegate.notify.request import Request
from tidegate.notify.telling import REVISION, Told

DESCRIPTION_LIMIT = 140
PROGRESSING = frozenset({"Progressing", "ProgressingWithRetry"})
_COMMIT = re.compile(r"(?:.*[@:/])?([0-9a-f]{40}|[0-9a-f]{64})\Z")
_UID = 8


def status_request(kind: str, address: str, token: str, told: Told, uid: str) -> Request | None:
    """The request that gives a commit of the repository at `address` its status; None for an event about no commit.

    Each object has a status of its own, named `kind/name/` and the beginning of the Provider's `uid`, so that two
    clusters don't overwrite each other's. InvalidInput where the address is no repository's, or could only be asked in
    the clear.
    """
    found = _COMMIT.fullmatch(told.metadata.get(REVISION, ""))
    if found is None:
        return None
    if "@" in urlsplit(address).netloc:
        raise InvalidInput("the address of the repository is https://HOST/OWNER/NAME, without a credential")
    forge = forge_of(address, kind)
    context = f"{told.key.kind.lower()}/{told.key.name}/{uid[:_UID]}".rstrip("/")
    description = told.reason if len(told.message) > DESCRIPTION_LIMIT else told.message
    words = {"description": description[:DESCRIPTION_LIMIT]}
    if forge.kind == GITLAB:
        path = f"/projects/{quote(forge.repository, safe='')}/statuses/{found[1]}"
        words |= {"state": _state(told, "failed"), "name": context}
    else:
        path = f"/repos/{quote(forge.repository)}/statuses/{found[1]}"
        words |= {"state": _state(told, "failure"), "context": context}
    return Request("POST", f"{forge.api}{path}", words, forge.headers(token))


def _state(told: Told, failed: str) -> str:
    if told.severity == ERROR:
        return failed
    return "pending" if told.reason in PROGRESSING else "success"
