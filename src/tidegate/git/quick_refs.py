"""Asks a smart HTTP host for named refs in this process: gitprotocol-v2(5)'s `ls-refs`, one request and no child.

Only a plain answer counts. Whatever else comes (a refusal, a redirect, an older host), and whoever needs more than a
password or a token (certificates, a proxy of its own), is left to git, whose words then explain it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence

import httpx2

from tidegate.base.errors import TidegateError
from tidegate.base.http import make_client, read_bounded, user_agent
from tidegate.git.names import check_ref, is_object_id
from tidegate.git.remote import Credentials, Remote

ANSWER_LIMIT = 1024 * 1024
REMEMBERED = 1000
_TYPE = "application/x-git-upload-pack"
_FLUSH, _DELIMITER = b"0000", b"0001"


class QuickRefs:
    """Remembers which URLs do not answer this way, so that they are asked by git alone. It is in memory alone."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None):
        self._transport = transport
        self._slow: dict[str, None] = {}

    async def ask(self, remote: Remote, refs: Sequence[str], *, timeout: float) -> dict[str, str] | None:
        """The commits of those of `refs` that exist (an annotated tag's is the one behind it); None: ask git."""
        if not refs or remote.url in self._slow or not is_plain(remote):
            return None
        try:
            async with asyncio.timeout(timeout):
                status, answer = await self._posted(remote, question(refs))
        except (TimeoutError, httpx2.HTTPError, TidegateError):
            return None
        if status in (401, 403, 404):
            return None  # another credential may do tomorrow
        found = parse_answer(answer) if status == 200 else None
        if found is None:
            self._remember(remote.url)
            return None
        return {ref: found[ref] for ref in refs if ref in found}

    async def _posted(self, remote: Remote, body: bytes) -> tuple[int, bytes]:
        """The status, and the answer where it is of the right type."""
        headers = {
            "content-type": f"{_TYPE}-request", "accept": f"{_TYPE}-result", "git-protocol": "version=2",
            "user-agent": f"git/{user_agent()}",
        }  # fmt: skip
        given = (remote.credentials or Credentials()).header()
        if given is not None:
            name, _, value = given.partition(": ")
            headers[name] = value
        url = f"{remote.url.rstrip('/')}/git-upload-pack"
        async with (
            make_client(self._transport) as http,
            http.stream("POST", url, content=body, headers=headers) as response,
        ):
            if response.headers.get("content-type") != f"{_TYPE}-result":
                return response.status_code, b""
            return response.status_code, await read_bounded(response, ANSWER_LIMIT)

    def _remember(self, url: str) -> None:
        if len(self._slow) >= REMEMBERED:
            self._slow.clear()
        self._slow[url] = None


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


def question(refs: Sequence[str]) -> bytes:
    """The request for some refs (`HEAD` among them allowed), with what annotated tags stand for. Pure."""
    wanted = [ref if ref == "HEAD" else check_ref(ref) for ref in refs]
    arguments = [_packet("peel"), *(_packet(f"ref-prefix {ref}") for ref in wanted)]
    return b"".join([_packet("command=ls-refs"), _packet("object-format=sha1"), _DELIMITER, *arguments, _FLUSH])


def parse_answer(answer: bytes) -> dict[str, str] | None:
    """The refs of an answer; None where it is no whole one. Pure."""
    found = {}
    try:
        for line in _packets(answer):
            object_id, name, *attributes = line.decode("utf-8", "surrogateescape").rstrip("\n").split(" ")
            peeled = [one.removeprefix("peeled:") for one in attributes if one.startswith("peeled:")]
            commit = peeled[0] if peeled else object_id
            if not is_object_id(commit):
                return None
            found[name] = commit
    except ValueError:
        return None
    return found


def _packet(line: str) -> bytes:
    data = line.encode("utf-8", "surrogateescape") + b"\n"
    return b"%04x" % (len(data) + 4) + data


def _packets(answer: bytes) -> Iterator[bytes]:
    """The lines up to the flush that ends them. ValueError where there is none, or something after it."""
    position = 0
    while answer[position : position + 4] != _FLUSH:
        size = int(answer[position : position + 4], 16)
        if size < 5 or position + size > len(answer):
            raise ValueError("a broken line")
        yield answer[position + 4 : position + size]
        position += size
    if position + 4 != len(answer):
        raise ValueError("more than one answer")
