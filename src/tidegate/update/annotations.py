"""What an ImageUpdateAutomation asks for beyond Flux's fields, in its annotations under `tidegate.dev/`. Pure.

Unset, each is off.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.forges import FORGES
from tidegate.kinds.objects import Object
from tidegate.kinds.own_annotations import PREFIX, flag, given_annotations, seconds, unknown_among, wrong
from tidegate.update.window import Window

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
    given = given_annotations(obj)
    return Wishes(
        batch=seconds(given, BATCH, (1, LONGEST_BATCH), "from 1s to 168h: 5m, 1h30m") or 0.0,
        window=_window(given.get(WINDOW)),
        respect_rollback=flag(given, RESPECT_ROLLBACK),
        rollback_after=seconds(
            given, ROLLBACK_AFTER, (LEAST_ROLLBACK, LONGEST_ROLLBACK), "from 10s to 24h: 10m, 1h30m"
        ),
        pull_request=_pull_request(given),
    )


def unknown_annotations(obj: Object) -> list[str]:
    """The annotations under `tidegate.dev/` that nothing here reads, sorted: misspelt ones, as a rule."""
    return unknown_among(obj, ELSEWHERE.union(UPDATING))


def _pull_request(given: Mapping[str, str]) -> PullRequestWish | None:
    api = given.get(PULL_REQUEST_API)
    if api is not None and api not in FORGES:
        said = f"{api[:100]!r} is no API that is known here"
        raise wrong(PULL_REQUEST_API, said, f"write one of {', '.join(FORGES)}")
    return PullRequestWish(api, given.get(PULL_REQUEST_SECRET)) if flag(given, PULL_REQUEST) else None


def _window(value: str | None) -> Window | None:
    if value is None:
        return None
    try:
        return Window.parse(value)
    except InvalidInput as error:
        raise wrong(WINDOW, error.message, error.remedy or "") from None
