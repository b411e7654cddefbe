"""What an ImageUpdateAutomation asks for beyond Flux's fields, in its annotations under `tidegate.dev/`. Pure.

Unset, each is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.kinds import duration
from tidegate.kinds.objects import Object
from tidegate.update.window import Window

PREFIX = "tidegate.dev/"
BATCH, WINDOW, RESPECT_ROLLBACK = (f"{PREFIX}{name}" for name in ("batch", "window", "respect-rollback"))
UPDATING = (BATCH, WINDOW, RESPECT_ROLLBACK)
ELSEWHERE = frozenset({f"{PREFIX}adopt", f"{PREFIX}keep"})
"""Those that other rooms read."""
LONGEST_BATCH = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """The annotations, read. `batch` is in seconds."""

    batch: float = 0.0
    window: Window | None = None
    respect_rollback: bool = False


NO_WISHES = Wishes()


def wishes_of(obj: Object) -> Wishes:
    """Read the annotations; InvalidInput names the one that is wrong, and what it may be."""
    given = _annotations(obj)
    return Wishes(
        batch=_batch(given.get(BATCH)),
        window=_window(given.get(WINDOW)),
        respect_rollback=_flag(given, RESPECT_ROLLBACK),
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


def _batch(value: str | None) -> float:
    if value is None:
        return 0.0
    example = "write a duration as Go does, from 1s to 168h: 5m, 1h30m"
    try:
        seconds = duration.seconds(value.strip()[:100])
    except TidegateError as error:
        raise _wrong(BATCH, error.message, example) from None
    if not 1 <= seconds <= LONGEST_BATCH:
        raise _wrong(BATCH, f"{value[:100]!r} is too short or too long", example)
    return seconds


def _window(value: str | None) -> Window | None:
    if value is None:
        return None
    try:
        return Window.parse(value)
    except InvalidInput as error:
        raise _wrong(WINDOW, error.message, error.remedy or "") from None


def _wrong(name: str, message: str, remedy: str) -> InvalidInput:
    return InvalidInput(message, where=Where(field=f"metadata.annotations[{name}]"), remedy=remedy)
