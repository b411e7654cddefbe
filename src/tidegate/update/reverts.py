"""Whether a person has taken back what an automation wrote, by what the commits before say. Pure.

Only the value of the marked scalar counts, on whatever line of the file it stands: it is the same one as long as its
object, its marker, and its place among those that have both are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from tidegate.base.frozen import frozen
from tidegate.base.showing import showable
from tidegate.git.lineage import Lineage
from tidegate.kinds import semver
from tidegate.kinds.conditions import Condition
from tidegate.update.edit import Change, Decision, Edited, Selected, conclude, present_value
from tidegate.update.marker import FileMarkers, Marker
from tidegate.update.objects import ObjectIdentity

RESPECTED = "RollbackRespected"
"""The type of the condition that says which values stay."""
SHOWN = 10
TAG_LIMIT = 128
"""Characters; nothing longer is a tag, whatever stands in a file."""
NAME_SHOWN, VALUE_SHOWN = 100, 300
_NUMBER = re.compile(r"([0-9]+)")
ValueIn = Callable[[str | None], str | None]
"""The value of one scalar in a blob; None where it is not there."""


@frozen
class Place:
    """A scalar of a file, whatever line it is on."""

    object: ObjectIdentity
    setter: str
    number: int

    @classmethod
    def at(cls, found: FileMarkers, line: int) -> Place | None:
        """The place of the marked value on a line."""
        marker = next((one for one in found.markers if one.line == line), None)
        return None if marker is None else cls(marker.object, marker.setter, _alike(found, marker).index(marker))

    def value(self, found: FileMarkers) -> str | None:
        """What stands there in a version of the file; None where there is no such place."""
        alike = [one for one in found.markers if (one.object, one.setter) == (self.object, self.setter)]
        return present_value(alike[self.number]) if self.number < len(alike) else None


@frozen
class Setting:
    """A value, the commit that set it, and where to go on: that commit's parent with its blob, None at the end."""

    value: str
    commit: str
    parent: str | None
    blob: str | None


@frozen
class Kept:
    """A change that is not made, since `commit`, by somebody called `who`, took it back."""

    change: Change
    commit: str
    who: str

    def explain(self) -> str:
        """The place, what stays, and what ends it."""
        one = self.change
        who = "".join(letter for letter in self.who if letter.isprintable())[:NAME_SHOWN]
        stays = f"{showable(one.old, VALUE_SHOWN)} stays"
        return (
            f"{one.path}:{one.line}: {stays}, since {who} went back to it from {one.new} in "
            f"{self.commit[:7]}, until something newer is selected, of {one.policy}"
        )


def condition(kept: Collection[Kept]) -> Condition:
    """The condition that names what stays."""
    lines = [one.explain() for one in list(kept)[:SHOWN]]
    more = [f"and {len(kept) - SHOWN} more"] if len(kept) > SHOWN else []
    return Condition(RESPECTED, "True", "RolledBackInGit", "\n".join([headline(kept), *lines, *more]))


def headline(kept: Collection[Kept]) -> str:
    """How many values stay, and why."""
    many = "1 value stays" if len(kept) == 1 else f"{len(kept)} values stay"
    return f"{many} where somebody rolled back"


def last_setting(
    lineage: Lineage, commit: str, path: str, blob: str | None, value_in: ValueIn, *, known: str | None = None
) -> Setting | str | None:
    """Who set the value that stands at a path in a commit, which has `blob` there. None where that is further back than
    the lineage reaches; `known` where that commit has the same value, so that whoever set it there did.

    Where several did on branches that were merged, the newest commit counts.
    """
    value = value_in(blob)
    if value is None:
        return None
    found: dict[str, Setting | str] = {}
    waiting, seen = [(commit, blob)], {commit}
    while waiting:
        here, blob = waiting.pop()
        if here == known:
            found[here] = known
            continue
        older = [(one, lineage.blob_in(one, here, path, blob)) for one in lineage.parents.get(here, ())]
        same = [one for one in older if one[1] == blob or value_in(one[1]) == value]
        if not same and here in lineage.parents:
            parent, before = older[0] if older else (None, None)
            found[here] = Setting(value, here, parent, before)
        waiting += [one for one in same if one[0] not in seen]
        seen.update(parent for parent, _ in same)
    return next((found[one] for one in lineage.parents if one in found), None)


def is_older(present: str, other: str) -> bool:
    """Whether a value's tag is older than another's, as far as tags alone say it: by their versions, else by the
    numbers in tags that are the same otherwise.
    """
    one, two = _tag(present), _tag(other)
    if max(len(one), len(two)) > TAG_LIMIT:
        return False
    versions = semver.parse_tag(one), semver.parse_tag(two)
    if versions[0] is not None and versions[1] is not None:
        return versions[0] < versions[1]
    parts, others = _NUMBER.split(one), _NUMBER.split(two)
    if parts[::2] != others[::2]:
        return False
    return [int(part) for part in parts[1::2]] < [int(part) for part in others[1::2]]


def leave_out(edited: Edited, kept: Iterable[Change], read: Callable[[str], tuple[bytes, FileMarkers]]) -> Edited:
    """What an update comes to without some of its changes; `read` answers for a file as it stands."""
    left = set(kept)
    rest = [one for one in edited.changes if one not in left]
    again: dict[str, Decision] = {}
    data: dict[str, bytes] = {}
    for path in dict.fromkeys(one.path for one in left):
        data[path], found = read(path)
        new = {one.line: one.new for one in rest if one.path == path}
        edits = tuple((marker, new[marker.line]) for marker in found.markers if marker.line in new)
        again[path] = Decision(found, edits, (), ())
    selected = {one.policy: Selected.parse(one.reference) for one in rest}
    made = conclude(again, data.__getitem__, selected)
    files = {path: content for path, content in edited.files.items() if path not in again} | dict(made.files)
    changes = [one for one in rest if one.path not in again] + list(made.changes)
    changes.sort(key=lambda one: (one.path, one.line))
    return replace(edited, files=files, changes=tuple(changes), problems=(*edited.problems, *made.problems))


def _alike(found: FileMarkers, marker: Marker) -> list[Marker]:
    return [one for one in found.markers if (one.object, one.setter) == (marker.object, marker.setter)]


def _tag(value: str) -> str:
    """`NAME:TAG@DIGEST` → TAG; a tag alone is itself, and no reference has two digests."""
    return value.partition("@")[0].rpartition(":")[2]
