"""What a registry's host allows: Retry-After and RateLimit-* as it last said them, for everybody who asks that host.

No sockets and no waiting: a request asks first whether it may go, and afterwards tells what the answer said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2

from tidegate.base.errors import RateLimited

DEFAULT_WAIT = 60.0
"""Seconds to wait where a host asks to wait and says nothing of how long."""
LONGEST_WAIT = 24 * 3600.0
HOSTS_KEPT = 512
_REMEDY = "log in, or ask less often: raise the interval"
_NUMBER = re.compile(r"\s*([0-9]{1,12})\s*(?:[;,]|$)")
_WINDOW = re.compile(r";\s*w\s*=\s*([0-9]{1,9})")
_SLACK = 0.01  # a sleep may end a little early
_EPOCH = 1_000_000_000.0  # a larger number of seconds is a moment, not a wait


@dataclass(slots=True)
class _Share:
    """What is left of a kind of requests until a moment; `under_way` may or may not be counted by the host yet."""

    left: int | None = None
    until: float = 0.0
    under_way: int = 0


class Budgets:
    """The budget of each host; one for the whole process."""

    def __init__(self, monotonic: Callable[[], float]):
        self._monotonic = monotonic
        self._hosts: dict[tuple[str, Hashable], Budget] = {}

    def of(self, url: httpx2.URL, way: Hashable = None) -> Budget:
        """The budget of the host that answers `url`. By another `way` (a proxy, say) another one may answer in its
        name: what it says holds back those alone who take that way.
        """
        host = url.netloc.decode("ascii", "replace").lower()
        found = self._hosts.pop((host, way), None) or Budget(host, self._monotonic)
        self._hosts[host, way] = found  # the one used last stands last
        if len(self._hosts) > HOSTS_KEPT:
            del self._hosts[next(iter(self._hosts))]
        return found


class Budget:
    """One host's. A Retry-After holds every request back; RateLimit-* those of the kind that was answered with it,
    since Docker Hub counts manifests alone.
    """

    def __init__(self, host: str, monotonic: Callable[[], float]):
        self._host = host
        self._monotonic = monotonic
        self._held_until = 0.0
        self._shares: dict[str, _Share] = {}

    def take(self, kind: str | None) -> None:
        """A request is about to go; `done` must follow. Raises RateLimited, with the wait, where the host does not
        want it yet. None is a request that the host does not count.
        """
        now = self._monotonic()
        if self._held_until - now > _SLACK:
            raise self._refusal(self._held_until - now)
        if kind is None:
            return
        share = self._shares.setdefault(kind, _Share())
        if share.until - now <= _SLACK:
            share.left = None
        if share.left is not None:
            if share.left <= 0:
                raise self._refusal(share.until - now)
            share.left -= 1
        share.under_way += 1

    def done(self, kind: str | None) -> None:
        """The request of a `take` has its answer, or will have none."""
        if kind is not None:
            self._shares[kind].under_way -= 1

    def note(self, kind: str, status: int, headers: httpx2.Headers) -> RateLimited | None:
        """What an answer says of the next requests; the error to raise where it is a refusal itself."""
        now = self._monotonic()
        share = self._shares.setdefault(kind, _Share())
        left, wait = _remaining(headers)
        if left is not None:
            share.left, share.until = max(left - share.under_way, 0), now + wait
        if status != 429 and not (status == 503 and "retry-after" in headers):
            return None
        asked = retry_after(headers)
        if asked is not None:
            self._held_until = max(self._held_until, now + asked)
        else:
            asked = wait if left == 0 else DEFAULT_WAIT
            share.left, share.until = 0, now + asked
        message = f"the registry {self._host} asks to wait {asked:g} s ({status})"
        return RateLimited(message, retry_after=asked, remedy=_REMEDY)

    def _refusal(self, wait: float) -> RateLimited:
        message = f"the registry {self._host} has asked to wait, for another {wait:.0f} s"
        return RateLimited(message, retry_after=wait, remedy=_REMEDY)


def retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds that `Retry-After` asks for (RFC 9110, 10.2.3), or Docker Hub's `X-Retry-After`, a moment as Unix time;
    None where neither can be read.

    A date is taken against the answer's own `Date`, so this machine's clock does not matter.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(text)
        return _bounded((date - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (TypeError, ValueError, OverflowError):
        pass
    moment = _number(headers.get("x-retry-after", ""))
    return None if moment is None else _until(moment, headers)


def _remaining(headers: httpx2.Headers) -> tuple[int | None, float]:
    """How many requests are left, and for how many seconds that holds.

    RateLimit-Reset says it. Docker Hub gives only the window, `76;w=21600`: while something is left that is how long it
    holds, and with nothing left one request comes back in the time that it has for one.
    """
    left = _number(headers.get("ratelimit-remaining", ""))
    if left is None:
        return None, 0.0
    reset = _number(headers.get("ratelimit-reset", ""))
    if reset is not None and (wait := _until(reset, headers)) is not None:
        return int(left), wait
    window = _WINDOW.search(headers.get("ratelimit-remaining", "") + ";" + headers.get("ratelimit-limit", ""))
    if window is None:
        return int(left), DEFAULT_WAIT
    limit = _number(headers.get("ratelimit-limit", "")) or 1.0
    seconds = _bounded(float(window.group(1)))
    return int(left), seconds if left else seconds / max(limit, 1.0)


def _until(seconds: float, headers: httpx2.Headers) -> float | None:
    """A wait as it is, a moment as the wait until then; None where it is a moment and the answer has no Date."""
    if seconds < _EPOCH:
        return _bounded(seconds)
    try:
        return _bounded(seconds - parsedate_to_datetime(headers.get("date", "")).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    found = _NUMBER.match(text[:200])
    return None if found is None else float(found.group(1))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT)
