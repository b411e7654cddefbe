"""Requests to a smart HTTP host (gitprotocol-http(5)) from this process, where nothing unusual is needed: git itself
takes its time to start, and starts helpers of its own.

Only a plain answer counts. Whatever else comes (a refusal, a redirect, an older host), and whoever needs more than a
password or a token (certificates, a proxy of its own), is left to git, whose words then explain it.
"""

from __future__ import annotations

import os

import httpx2

from tidegate.base.http import make_client, read_bounded, user_agent
from tidegate.git.remote import Credentials, Remote

REMEMBERED = 1000
ANSWER_LIMIT = 1024 * 1024
UPLOAD_PACK, RECEIVE_PACK = "git-upload-pack", "git-receive-pack"


class Unsuited:
    """Remembers URLs that do not answer in this way, so that git alone asks them. It is in memory alone."""

    def __init__(self) -> None:
        self._urls: dict[str, None] = {}

    def __contains__(self, url: str) -> bool:
        return url in self._urls

    def add(self, url: str) -> None:
        """Leave a URL to git from now on."""
        if len(self._urls) >= REMEMBERED:
            self._urls.clear()
        self._urls[url] = None


def is_plain(remote: Remote) -> bool:
    """Whether nothing but a URL, a password or a token is needed to reach a remote, over HTTP. InvalidInput where it is
    not allowed.
    """
    if remote.protocol not in ("http", "https") or (remote.protocol == "https" and _git_has_authorities_of_its_own()):
        return False
    given = remote.credentials or Credentials()
    plain = Credentials(username=given.username, password=given.password, bearer_token=given.bearer_token)
    credentials = plain if remote.credentials is not None else None
    # Whatever a remote may need besides is not known here, and makes it another one.
    return remote == Remote(remote.url, credentials, allow_http=remote.allow_http, file_roots=remote.file_roots)


def _git_has_authorities_of_its_own() -> bool:
    given = os.environ.get("GIT_SSL_CAINFO")
    return bool(given) and given != os.environ.get("SSL_CERT_FILE")


async def post(
    remote: Remote, service: str, body: bytes, *, version: int = 0, transport: httpx2.AsyncBaseTransport | None = None
) -> tuple[int, bytes]:
    """POST to a service of a remote that is plain: the status, and the answer where it is of the right type. Raises
    httpx2.HTTPError, LimitExceeded, InvalidInput.
    """
    headers = {
        "content-type": f"application/x-{service}-request", "accept": f"application/x-{service}-result",
        "user-agent": f"git/{user_agent()}",
    }  # fmt: skip
    if version:
        headers["git-protocol"] = f"version={version}"
    given = (remote.credentials or Credentials()).header()
    if given is not None:
        name, _, value = given.partition(": ")
        headers[name] = value
    url = f"{remote.url.rstrip('/')}/{service}"
    async with make_client(transport) as http, http.stream("POST", url, content=body, headers=headers) as response:
        if response.headers.get("content-type") != headers["accept"]:
            return response.status_code, b""
        return response.status_code, await read_bounded(response, ANSWER_LIMIT)
