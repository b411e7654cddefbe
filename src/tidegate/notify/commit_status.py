"""The status of a commit at GitHub, GitLab and Gitea: what an event about it says, as a request of their APIs. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from tidegate.base.errors import InvalidInput
from tidegate.kinds.alert import ERROR
from tidegate.notify.request import Request
from tidegate.notify.telling import REVISION, Told

DESCRIPTION_LIMIT = 140
PROGRESSING = frozenset({"Progressing", "ProgressingWithRetry"})
_COMMIT = re.compile(r"(?:.*[@:/])?([0-9a-f]{40}|[0-9a-f]{64})\Z")
_UID = 8


def status_request(forge: str, address: str, token: str, told: Told, uid: str) -> Request | None:
    """The request that gives a commit of the repository at `address` its status; None for an event about no commit.

    Each object has a status of its own, named `kind/name/` and the beginning of the Provider's `uid`, so that two
    clusters don't overwrite each other's. InvalidInput where the address is no repository's.
    """
    found = _COMMIT.fullmatch(told.metadata.get(REVISION, ""))
    if found is None:
        return None
    commit = found.group(1)
    base, repository = _repository(address)
    context = f"{told.key.kind.lower()}/{told.key.name}/{uid[:_UID]}".rstrip("/")
    description = told.reason if len(told.message) > DESCRIPTION_LIMIT else told.message
    words = {"description": description[:DESCRIPTION_LIMIT]}
    if forge == "gitlab":
        url = f"{base}/api/v4/projects/{quote(repository, safe='')}/statuses/{commit}"
        return Request(
            "POST", url, {"state": _state(told, "failed"), "name": context, **words}, {"PRIVATE-TOKEN": token}
        )
    if repository.count("/") != 1:
        raise InvalidInput(f"the address of a Provider of type {forge} is https://HOST/OWNER/NAME")
    body = {"state": _state(told, "failure"), "context": context, **words}
    if forge == "gitea":
        headers = {"Authorization": f"token {token}"}
        return Request("POST", f"{base}/api/v1/repos/{repository}/statuses/{commit}", body, headers)
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    api = "https://api.github.com" if urlsplit(base).hostname == "github.com" else f"{base}/api/v3"
    return Request("POST", f"{api}/repos/{repository}/statuses/{commit}", body, headers)


def _state(told: Told, failed: str) -> str:
    if told.severity == ERROR:
        return failed
    return "pending" if told.reason in PROGRESSING else "success"


def _repository(address: str) -> tuple[str, str]:
    """The forge's own address, and the repository as it names it."""
    parts = urlsplit(address)
    name = parts.path.strip("/").removesuffix(".git")
    segments = name.split("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or len(segments) < 2:
        raise InvalidInput("the address of the repository is https://HOST/OWNER/NAME, without a credential")
    if not all(re.fullmatch(r"[A-Za-z0-9._-]+", one) and one not in (".", "..") for one in segments):
        raise InvalidInput("the address of the repository has a part that no repository's has")
    return f"{parts.scheme}://{parts.netloc}", name
