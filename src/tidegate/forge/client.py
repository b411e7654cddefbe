"""Requests to a forge's API with one token, which goes to that address and nowhere else: no redirect is followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, NotFound, RateLimited, TidegateError, Unavailable
from tidegate.base.http import read_bounded, shown
from tidegate.forge.api import Forge, Proposal, PullRequest, Request
from tidegate.forge.open_requests import OpenRequest, listing, read_page

ANSWER_LIMIT = 4 * 1024 * 1024
DEADLINE = 30.0
"""Seconds for one request, its answer included."""
WHOLE_DEADLINE = 120.0
"""Seconds for all requests together: meanwhile the automation does nothing else."""
ATTEMPTS = 3
BACKOFF = 0.5
PAGES = 40
PAGES_LOOKED = 4
LONGEST_WAIT = 3600.0
_SAID = 300


class AlreadyOpen(TidegateError):
    """There is an open one for these branches."""


class ForgeClient:
    """One forge. `now` is the time in seconds since 1970, `sleep` waits between attempts."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        forge: Forge,
        token: str,
        *,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
    ):
        self._http = http
        self._forge = forge
        self._token = token
        self._headers = forge.headers(token)
        self._sleep = sleep
        self._now = now

    async def propose(self, proposal: Proposal) -> tuple[PullRequest, str]:
        """Open a pull request, or bring the open one up to date; it, and what was done: opened, updated or found.

        Raises Denied, NotFound, InvalidInput, RateLimited, Unavailable, LimitExceeded.
        """
        try:
            async with asyncio.timeout(WHOLE_DEADLINE):
                found, done = await self._propose(proposal)
        except TimeoutError:
            raise Unavailable(f"{self._forge.api} did not answer everything within {WHOLE_DEADLINE:g} s") from None
        if self._token and self._token in found.url:
            raise Unavailable(f"{self._forge.api} gives the pull request an address that can't be shown")
        return found, done

    async def open_requests(self) -> list[OpenRequest]:
        """The open pull requests, the one that was changed last first, PAGES_LOOKED pages at most. Raises as `propose`
        does.
        """
        found: list[OpenRequest] = []
        try:
            async with asyncio.timeout(WHOLE_DEADLINE):
                for page in range(1, PAGES_LOOKED + 1):
                    answer = await self._retrying(listing(self._forge, page))
                    found += read_page(self._forge, answer)
                    if self._forge.is_last(answer):
                        break
        except TimeoutError:
            raise Unavailable(f"{self._forge.api} did not answer everything within {WHOLE_DEADLINE:g} s") from None
        return list({one.number: one for one in found}.values())

    async def _propose(self, proposal: Proposal) -> tuple[PullRequest, str]:
        present = await self._open_one(proposal)
        if present is None:
            try:
                return self._forge.read(await self._ask(self._forge.creating(proposal))), "opened"
            except AlreadyOpen as error:  # by somebody else, or by a request of ours whose answer was lost
                present = await self._open_one(proposal)
                if present is None:
                    raise InvalidInput(error.message) from None
        if present.says(proposal):
            return present, "found"
        changed = self._forge.read(await self._retrying(self._forge.updating(present.number, proposal)))
        return changed, "updated"

    async def _open_one(self, proposal: Proposal) -> PullRequest | None:
        for page in range(1, PAGES + 1):
            answer = await self._retrying(self._forge.listing(proposal, page))
            if (found := self._forge.find(answer, proposal)) is not None:
                return found
            if self._forge.is_last(answer):
                return None
        raise LimitExceeded(f"{self._forge.api} has more open pull requests than {PAGES} pages")

    async def _retrying(self, request: Request) -> Any:
        """Ask again where nothing was answered: only for what may be said twice."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._ask(request)
            except RateLimited:
                raise
            except Unavailable:
                await self._sleep(BACKOFF * 2 ** (attempt - 1))
        return await self._ask(request)

    async def _ask(self, request: Request) -> Any:
        url = self._forge.api + request.path
        try:
            async with asyncio.timeout(DEADLINE):
                outgoing = self._http.build_request(request.method, url, headers=self._headers, json=request.body)
                response = await self._http.send(outgoing, stream=True, follow_redirects=False)
                try:
                    body = await read_bounded(response, ANSWER_LIMIT)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise Unavailable(f"{shown(url)} did not answer within {DEADLINE:g} s") from None
        except httpx2.HTTPError as error:
            raise Unavailable(f"{shown(url)} is not reachable: {type(error).__name__}") from None
        if not response.is_success:
            raise self._error(request, response, body)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise Unavailable(f"{shown(url)} answered with something that is no JSON") from None

    def _error(self, request: Request, response: httpx2.Response, body: bytes) -> TidegateError:
        status, said = response.status_code, self._said(body)
        words = f"{request.method} {shown(response.url)} was answered with {status}{said}"
        if status == 429 or (status == 403 and response.headers.get("x-ratelimit-remaining") == "0"):
            return RateLimited(words, retry_after=self._wait(response.headers))
        if status in (401, 403):
            return Denied(words, remedy="give the token the right to read and write pull requests of this repository")
        if status == 404:
            return NotFound(words, remedy="see whether the token may see the repository; a private one looks the same")
        if status >= 500 or status == 408:
            return Unavailable(words)
        if status in (409, 422) and request.method == "POST" and "already exists" in said:
            return AlreadyOpen(words)
        if response.is_redirect:
            return InvalidInput(
                f"{words}: redirects are not followed, since the token would go elsewhere",
                remedy="give the source the URL that the repository has now",
            )
        return InvalidInput(words)

    def _wait(self, headers: httpx2.Headers) -> float:
        """Seconds until it may be asked again; a minute where it does not say."""
        for name, since in (("retry-after", 0.0), ("x-ratelimit-reset", self._now()), ("ratelimit-reset", self._now())):
            if (value := headers.get(name, "")).isascii() and value.isdigit():
                return min(max(float(value) - since, 1.0), LONGEST_WAIT)
        return 60.0

    def _said(self, body: bytes) -> str:
        """What the API's error says, in one short line and without the token."""
        try:
            answer = json.loads(body)
            parts = [answer.get("message"), answer.get("error"), *(answer.get("errors") or [])]
            said = [
                str(one.get("message") or one.get("code")) if isinstance(one, dict) else one for one in parts if one
            ]
            text = "; ".join(" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in said)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return ""
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return f": {self._redacted(text)[:_SAID]}" if text else ""

    def _redacted(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text
