"""What an ImageUpdateAutomation asks for beyond Flux's fields, in its annotations under `tidegate.dev/`. Pure.

Unset, each is off.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.base.frozen import frozen
from tidegate.kinds import duration
from tidegate.kinds.objects import Object
from tidegate.update.window import Window

PREFIX = "tidegate.dev/"
BATCH, WINDOW, RESPECT_ROLLBACK, ROLLBACK_AFTER, PULL_REQUEST, PULL_REQUEST_API, PULL_REQUEST_SECRET = (
    f"{PREFIX}{name}"
    for name in (
        "batch", "window", "respect-rollback", "rollback-after", "pull-request", "pull-request-api",
        "pull-request-secret",
    )
)  # fmt: skip
UPDATING = (BATCH, WINDOW, RESPECT_ROLLBACK, ROLLBACK_AFTER, PULL_REQUEST, PULL_REQUEST_API, PULL_REQUEST_SECRET)
ELSEWHERE = frozenset({f"{PREFIX}adopt", f"{PREFIX}keep"})
"""Those that other rooms read."""
LONGEST_BATCH = 7 * 24 * 3600.0
LEAST_ROLLBACK, LONGEST_ROLLBACK = 10.0, 24 * 3600.0
FORGES: Mapping[str, str] = {"github": "github", "gitea": "gitea", "forgejo": "gitea", "gitlab": "gitlab"}
"""What `pull-request-api` may say, and whose API that is."""


@frozen
class PullRequestWish:
    """Whose API the remote's host has, where its name does not tell, and the Secret with a token, where that is not the
    source's.
    """

    api: str | None = None
    secret: str | None = None


@frozen
class Wishes:
    """The annotations, read. `batch` is in seconds, as is `rollback_after`: None where nothing is taken back."""

    batch: float = 0.0
    window: Window | None = None
    respect_rollback: bool = False
    rollback_after: float | None = None
    pull_request: PullRequestWish | None = None


NO_WISHES = Wishes()


def wishes_of(obj: Object) -> Wishes:
    """Read the annotations; InvalidInput names the one that is wrong, and what it may be."""
    given = _annotations(obj)
    return Wishes(
        batch=_seconds(given, BATCH, (1, LONGEST_BATCH), "from 1s to 168h: 5m, 1h30m") or 0.0,
        window=_window(given.get(WINDOW)),
        respect_rollback=_flag(given, RESPECT_ROLLBACK),
        rollback_after=_seconds(
            given, ROLLBACK_AFTER, (LEAST_ROLLBACK, LONGEST_ROLLBACK), "from 10s to 24h: 10m, 1h30m"
        ),
        pull_request=_pull_request(given),
    )


def unknown_annotations(obj: Object) -> list[str]:
    """The annotations under `tidegate.dev/` that nothing here reads, sorted: misspelt ones, as a rule."""
    known = ELSEWHERE.union(UPDATING)
    return sorted(name for name in _annotations(obj) if name.startswith(PREFIX) and name not in known)


def _annotations(obj: Object) -> Mapping[str, str]:
    found = (obj.get("metadata") or {}).get("annotations") or {}
    return {str(name): str(value) for name, value in found.items()}


def _flag(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false")
    if value not in ("true", "false"):
        raise _wrong(name, f"{value[:100]!r} is neither true nor false", 'write "true" or "false", in quotes')
    return value == "true"


def _seconds(given: Mapping[str, str], name: str, limits: tuple[float, float], example: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    remedy = f"write a duration as Go does, {example}"
    try:
        seconds = duration.seconds(value.strip()[:100])
    except TidegateError as error:
        raise _wrong(name, error.message, remedy) from None
    if not limits[0] <= seconds <= limits[1]:
        raise _wrong(name, f"{value[:100]!r} is too short or too long", remedy)
    return seconds


def _pull_request(given: Mapping[str, str]) -> PullRequestWish | None:
    api = given.get(PULL_REQUEST_API)
    if api is not None and api not in FORGES:
        said = f"{api[:100]!r} is no API that is known here"
        raise _wrong(PULL_REQUEST_API, said, f"write one of {', '.join(FORGES)}")
    return PullRequestWish(api, given.get(PULL_REQUEST_SECRET)) if _flag(given, PULL_REQUEST) else None


def _window(value: str | None) -> Window | None:
    if value is None:
        return None
    try:
        return Window.parse(value)
    except InvalidInput as error:
        raise _wrong(WINDOW, error.message, error.remedy or "") from None


def _wrong(name: str, message: str, remedy: str) -> InvalidInput:
    return InvalidInput(message, where=Where(field=f"metadata.annotations[{name}]"), remedy=remedy)
