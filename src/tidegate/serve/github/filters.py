"""Which runs a listing shows, and its pages, by the parameters that GitHub has for them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from tidegate.base.frozen import frozen
from tidegate.serve.github.failures import Unprocessable

T = TypeVar("T")
Shown = Mapping[str, Any]
PER_PAGE, MOST_PER_PAGE = 30, 100
STATES = (
    "completed", "action_required", "cancelled", "failure", "neutral", "skipped", "stale", "success", "timed_out",
    "startup_failure", "in_progress", "queued", "requested", "waiting", "pending",
)  # fmt: skip
_EQUAL = {"branch": "head_branch", "event": "event", "head_sha": "head_sha"}


@frozen
class Page:
    """One page of a listing; `number` counts from 1."""

    number: int
    size: int

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """The items that stand on it."""
        return items[(self.number - 1) * self.size : self.number * self.size]

    def links(self, url: str, query: Mapping[str, str], total: int) -> str:
        """The Link header (RFC 8288) that leads to the other pages; empty where there is only one."""
        last = max(1, -(-total // self.size))
        pages = {"prev": self.number - 1, "next": self.number + 1, "last": last, "first": 1}
        wanted = [("prev", "first")] if self.number > 1 else []
        wanted += [("next", "last")] if self.number < last else []
        return ", ".join(
            f'<{url}?{urlencode({**query, "page": str(pages[name])})}>; rel="{name}"'
            for pair in wanted
            for name in pair
        )


def page_of(query: Mapping[str, str]) -> Page:
    """The page that is asked for; a number that can't be meant stands for GitHub's own."""
    size = _number(query.get("per_page"), PER_PAGE)
    return Page(_number(query.get("page"), 1), min(size, MOST_PER_PAGE))


def matching(runs: Sequence[T], query: Mapping[str, str], outline: Callable[[T], Shown]) -> list[T]:
    """The runs that all parameters let through: branch, event, head_sha, actor, status (or a conclusion), created.

    `outline` gives the fields by which that is told. Raises Unprocessable for a state that GitHub does not know, and
    for what is no time.
    """
    tests: list[Callable[[Shown], bool]] = []
    for name, field in _EQUAL.items():
        if value := query.get(name):
            tests.append(lambda run, field=field, value=value: run[field] == value)  # type: ignore[misc]
    if actor := query.get("actor"):
        tests.append(lambda run: run["actor"]["login"].lower() == actor.lower())
    if state := query.get("status"):
        if state not in STATES:
            raise Unprocessable(f"{state!r} is no status and no conclusion", remedy=f"one of: {', '.join(STATES)}")
        tests.append(lambda run: state in (run["status"], run["conclusion"]))
    if created := query.get("created"):
        begin, end = created_between(created)
        tests.append(lambda run: begin <= _moment(run["created_at"]) < end)
    return [run for run in runs if all(test(shown) for shown in [outline(run)] for test in tests)]


def created_between(text: str) -> tuple[datetime, datetime]:
    """The times that a search for dates means, the first one included and the second one not.

    A day or a moment, `>`, `>=`, `<` or `<=` before it, or `FROM..TO`, where `*` is no bound.
    """
    begin, dots, end = text.partition("..")
    if dots:
        return (
            _Always.begin if begin == "*" else _span(begin)[0],
            _Always.end if end == "*" else _span(end)[1],
        )
    for sign in (">=", "<=", ">", "<"):
        if text.startswith(sign):
            first, after = _span(text.removeprefix(sign))
            bounds = {">=": (first, None), ">": (after, None), "<": (None, first), "<=": (None, after)}[sign]
            return bounds[0] or _Always.begin, bounds[1] or _Always.end
    return _span(text)


class _Always:
    begin = datetime.min.replace(tzinfo=UTC)
    end = datetime.max.replace(tzinfo=UTC)


def _span(text: str) -> tuple[datetime, datetime]:
    """The day, or the second, that a time names."""
    try:
        # In a URL that nobody has escaped, the plus of an offset comes as a blank.
        first = datetime.fromisoformat(text.strip().replace(" ", "+"))
        first = first.astimezone(UTC) if first.tzinfo else first.replace(tzinfo=UTC)
        return first, first + (timedelta(days=1) if len(text.strip()) <= len("2026-01-15") else timedelta(seconds=1))
    except (ValueError, OverflowError):
        raise Unprocessable(f"{text!r} is no date", remedy="as created=>=2026-01-15 or created=2026-01-01..*") from None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _number(text: str | None, otherwise: int) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 9:
        return otherwise
    return int(text) or otherwise
