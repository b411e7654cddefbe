"""Pushes a commit to a smart HTTP host by one request (gitprotocol-pack(5), "Pushing Data To a Server"): where the
branch is, is said with it, and the other side compares. `git push` asks first, and starts five programs for it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2

from tidegate.base.errors import TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.http import user_agent
from tidegate.git.batch import BATCHES
from tidegate.git.names import check_object_id, check_ref
from tidegate.git.packets import FLUSH, bands, packet, packets
from tidegate.git.packing import pack_between
from tidegate.git.remote import Remote
from tidegate.git.smart_http import RECEIVE_PACK, Unsuited, is_plain, post

_CAPABILITIES = "report-status side-band-64k object-format=sha1"
"""What every host knows that takes pushes over smart HTTP: nobody has to ask for them first."""
_LACKING = "bad ref"


@frozen
class Report:
    """What the other side made of a push: a `reason` where it did not take it, and what its hooks said."""

    reason: str | None
    said: str = ""

    def as_git_tells(self, url: str, commit: str, ref: str) -> str:
        """The words of `git push` for a push that was not taken."""
        remote = "".join(f"remote: {line}\n" for line in self.said.splitlines())
        name = ref.removeprefix("refs/heads/")
        return f"{remote}To {url}\n ! [remote rejected] {commit[:12]} -> {name} ({self.reason})\n"


class QuickPushes:
    """Pushes to those that take it in this way; `transport` replaces the network."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None):
        self._transport = transport
        self._unsuited = Unsuited()

    async def push(
        self, git_dir: Path, remote: Remote, commit: str, ref: str, expected: str, *, timeout: float
    ) -> Report | None:
        """Move a ref from `expected` to a commit; None where nothing is known of it: then git is to push, which finds
        the ref where it is. Unavailable where there was no answer in time.
        """
        if remote.url in self._unsuited or not is_plain(remote):
            return None
        try:
            async with asyncio.timeout(timeout):
                pack = await asyncio.to_thread(_pack, git_dir, commit, expected)
                if pack is None:
                    return None
                body = request(ref, expected, commit, pack)
                status, answer = await post(remote, RECEIVE_PACK, body, transport=self._transport)
        except TimeoutError:
            raise Unavailable(f"{remote.url} did not answer in time: no answer to a push in {timeout:g} s") from None
        except (httpx2.HTTPError, TidegateError):
            return None
        if status in (401, 403, 404):
            return None  # another credential may do tomorrow
        report = parse_report(answer, ref) if status == 200 else None
        if report is None:
            self._unsuited.add(remote.url)
        return report


def _pack(git_dir: Path, commit: str, expected: str) -> bytes | None:
    with BATCHES.lent(git_dir) as batch:
        return pack_between(batch, expected, commit)


def request(ref: str, old: str, new: str, pack: bytes) -> bytes:
    """The body of the request. Pure."""
    words = f"{check_object_id(old)} {check_object_id(new)} {check_ref(ref)}\0 {_CAPABILITIES} agent={user_agent()}"
    return packet(words.encode("utf-8", "surrogateescape")) + FLUSH + pack


def parse_report(answer: bytes, ref: str) -> Report | None:
    """What an answer says of a ref; None where it is no whole one, or the other side lacks what the commit is built on:
    git then finds out that the ref is elsewhere. Pure.
    """
    try:
        data, words = bands(answer)
        unpacked, *lines = [line.decode("utf-8", "replace").rstrip("\n") for line in packets(data)]
    except ValueError:
        return None
    said = words.decode("utf-8", "replace")
    if unpacked != "unpack ok":
        return None
    if f"ok {ref}" in lines:
        return Report(None, said)
    refused = [line.removeprefix(f"ng {ref} ") for line in lines if line.startswith(f"ng {ref} ")]
    return Report(refused[0], said) if refused and refused[0] != _LACKING else None
