"""Asks a smart HTTP host for named refs in this process: gitprotocol-v2(5)'s `ls-refs`, one request and no child."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx2

from tidegate.base.errors import TidegateError
from tidegate.git.names import check_ref, is_object_id
from tidegate.git.packets import DELIMITER, FLUSH, packet, packets
from tidegate.git.remote import Remote
from tidegate.git.smart_http import UPLOAD_PACK, Unsuited, is_plain, post


class QuickRefs:
    """Asks those that answer in this way; `transport` replaces the network."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None):
        self._transport = transport
        self._unsuited = Unsuited()

    async def ask(self, remote: Remote, refs: Sequence[str], *, timeout: float) -> dict[str, str] | None:
        """The commits of those of `refs` that exist (an annotated tag's is the one behind it); None: ask git."""
        if not refs or remote.url in self._unsuited or not is_plain(remote):
            return None
        try:
            async with asyncio.timeout(timeout):
                status, answer = await post(remote, UPLOAD_PACK, question(refs), version=2, transport=self._transport)
        except (TimeoutError, httpx2.HTTPError, TidegateError):
            return None
        if status in (401, 403, 404):
            return None  # another credential may do tomorrow
        found = parse_answer(answer) if status == 200 else None
        if found is None:
            self._unsuited.add(remote.url)
            return None
        return {ref: found[ref] for ref in refs if ref in found}


def question(refs: Sequence[str]) -> bytes:
    """The request for some refs (`HEAD` among them allowed), with what annotated tags stand for. Pure."""
    wanted = [ref if ref == "HEAD" else check_ref(ref) for ref in refs]
    arguments = [_line("peel"), *(_line(f"ref-prefix {ref}") for ref in wanted)]
    return b"".join([_line("command=ls-refs"), _line("object-format=sha1"), DELIMITER, *arguments, FLUSH])


def parse_answer(answer: bytes) -> dict[str, str] | None:
    """The refs of an answer; None where it is no whole one. Pure."""
    found = {}
    try:
        for line in packets(answer):
            object_id, name, *attributes = line.decode("utf-8", "surrogateescape").rstrip("\n").split(" ")
            peeled = [one.removeprefix("peeled:") for one in attributes if one.startswith("peeled:")]
            commit = peeled[0] if peeled else object_id
            if not is_object_id(commit):
                return None
            found[name] = commit
    except ValueError:
        return None
    return found


def _line(text: str) -> bytes:
    return packet(text.encode("utf-8", "surrogateescape") + b"\n")
