"""Annotations under `tidegate.dev/`, by which an object asks for more than Flux's fields do: how their values are read,
and which of them nobody knows. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.kinds import duration
from tidegate.kinds.objects import Object

PREFIX = "tidegate.dev/"
SHOWN = 100
"""Characters of a wrong value that are shown."""


def given_annotations(obj: Object) -> Mapping[str, str]:
    """All annotations of an object, as texts."""
    found = (obj.get("metadata") or {}).get("annotations") or {}
    return {str(name): str(value) for name, value in found.items()}


def unknown_among(obj: Object, known: Collection[str]) -> list[str]:
    """Those under PREFIX that are not among the known ones, sorted: misspelt ones, as a rule."""
    return sorted(name for name in given_annotations(obj) if name.startswith(PREFIX) and name not in known)


def flag(given: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """`true` or `false`; InvalidInput for anything else."""
    value = given.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise wrong(name, f"{value[:SHOWN]!r} is neither true nor false", 'write "true" or "false", in quotes')
    return value == "true"


def seconds(given: Mapping[str, str], name: str, limits: tuple[float, float], example: str) -> float | None:
    """A duration in seconds, within limits; None where there is none. InvalidInput has the `example`."""
    value = given.get(name)
    if value is None:
        return None
    remedy = f"write a duration as Go does, {example}"
    try:
        found = duration.seconds(value.strip()[:SHOWN])
    except TidegateError as error:
        raise wrong(name, error.message, remedy) from None
    if not limits[0] <= found <= limits[1]:
        raise wrong(name, f"{value[:SHOWN]!r} is too short or too long", remedy)
    return found


def wrong(name: str, message: str, remedy: str) -> InvalidInput:
    """The error of an annotation whose value can't be used."""
    return InvalidInput(message, where=Where(field=f"metadata.annotations[{name}]"), remedy=remedy)
