"""The message of a commit that takes an update back, and how such a commit is known again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tidegate.kinds.rolled_back import RolledBack, split, tag_words
from tidegate.update.edit import Edited
from tidegate.update.marker import part_of

TRAILER = "Tidegate-Rollback-Of"


def is_rollback(message: str) -> bool:
    """Whether a commit of an automation takes an update back, by its message."""
    return any(line.startswith(f"{TRAILER}: ") for line in message.splitlines())


def taken_back(holds: Mapping[str, RolledBack], edited: Edited) -> dict[str, RolledBack]:
    """The holds (by `NS:NAME`) that an edit puts into effect: it changes a value from the reference that was taken back
    to the one before.
    """
    found = {}
    for change in edited.changes:
        held, part = holds.get(change.policy), part_of(change.setter)
        if held is not None and (change.old, change.new) == (_part(held.bad, part), _part(held.good, part)):
            found[change.policy] = held
    return found


def rollback_message(holds: Mapping[str, RolledBack], edited: Edited, usual: str) -> str:
    """What was taken back and why, then what the automation usually says of its commits (which may be words that keep
    a build from starting), then the trailers.
    """
    parts = [_subject(holds.values())]
    for policy, held in sorted(holds.items()):
        lines = [held.cause, "", f"{tag_words(held.bad, held.good)} was set by {held.commit[:12]}. {policy} stays at"]
        lines[-1] += f" {tag_words(held.good, held.bad)} until a newer tag can be selected."
        parts.append("\n".join(lines))
    places = [f"{change.path}:{change.line}: {change.old} -> {change.new}" for change in edited.changes]
    parts.append("\n".join(places))
    parts += [usual.strip()] if usual.strip() else []
    parts.append("\n".join(f"{TRAILER}: {commit}" for commit in sorted({held.commit for held in holds.values()})))
    return "\n\n".join(parts) + "\n"


def _subject(holds: Iterable[RolledBack]) -> str:
    named = sorted({f"{held.name} to {tag_words(held.good, held.bad)}" for held in holds})
    return f"Roll back {', '.join(named)}"


def _part(reference: str, part: str) -> str:
    values = dict(zip(("name", "tag", "digest"), split(reference), strict=True))
    return values[part] if part else reference
