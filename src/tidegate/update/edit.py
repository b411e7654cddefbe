"""Brings marked values to the references that policies selected: one scalar's bytes each, and nothing else. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.allowing import ALLOW_FROM
from tidegate.kinds.reference import parse
from tidegate.update.marker import FileMarkers, Marker
from tidegate.update.markers import find_markers
from tidegate.update.objects import ObjectIdentity
from tidegate.update.scalars import write_scalar

_TAG = re.compile(r"[A-Za-z0-9_.\-]{1,128}", re.ASCII)


@frozen
class Selected:
    """A reference as the policy gives it: `NAME:TAG`, with `@sha256:…` where it carries a digest."""

    text: str
    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Selected:
        """Read it, without changing how the name is spelled; InvalidInput where it is no image reference."""
        parse(text)
        rest, _, digest = text.partition("@")
        name, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            name, tag = rest, ""
        elif not _TAG.fullmatch(tag):
            raise InvalidInput(f"{text!r} is no image reference: {tag!r} is no tag")
        return cls(text, name, tag, digest)

    def part(self, part: str) -> str:
        """What a marker's suffix asks for: `tag`, `name`, `digest`, or everything; empty where it has none."""
        return {"tag": self.tag, "name": self.name, "digest": self.digest}.get(part, self.text)


@frozen
class Change:
    """One value that changes. `setter` is the policy as the marker writes it, `policy` the same without its suffix,
    `reference` all of what that policy selected.
    """

    path: str
    line: int
    old: str
    new: str
    policy: str
    setter: str
    reference: str
    object: ObjectIdentity


@frozen
class Missing:
    """A marker whose policy is not among the references: it does not exist, or has selected nothing yet."""

    path: str
    line: int
    policy: str

    def explain(self, policies: Collection[str], namespace: str = "") -> str:
        """The place and what is wrong, where these are the policies that there are (`NS:NAME`) for an automation of a
        namespace. Of another namespace's it is not told whether there is one.
        """
        if self.policy in policies:
            return _place(self.path, self.line, f"the marker names {self.policy}, which has selected nothing yet")
        if namespace and not self.policy.startswith(f"{namespace}:"):
            said = f"the marker names {self.policy}, and no ImagePolicy of that name lets namespace {namespace} use it"
            return _place(self.path, self.line, f'{said}: annotate it with {ALLOW_FROM}: "{namespace}"')
        said = f"the marker names {self.policy}, and there is no such ImagePolicy in the automation's namespace"
        return _place(self.path, self.line, f"{said}: create it, or correct the marker")


@frozen
class Edited:
    """What an update comes to: the files that change, each changed value, the markers without a reference, what else
    was left alone and why, and all policies that markers name.
    """

    files: Mapping[str, bytes]
    changes: tuple[Change, ...]
    missing: tuple[Missing, ...] = ()
    problems: tuple[str, ...] = ()
    policies: frozenset[str] = frozenset()


@frozen
class Decision:
    """What is to be done in one file, in which `found` was found."""

    found: FileMarkers
    edits: tuple[tuple[Marker, str], ...]
    missing: tuple[Missing, ...]
    problems: tuple[str, ...]


def edit_files(files: Mapping[str, bytes], references: Mapping[str, str]) -> Edited:
    """The files with every marked value at its policy's reference. `references` is `NS:NAME` → reference.

    Any file is looked at, whatever its name. Raises InvalidInput for a reference that is none.
    """
    selected = parse_references(references)
    found = {path: find_markers(files[path]) for path in sorted(files)}
    decisions = {path: decide(path, markers, selected) for path, markers in found.items()}
    return conclude(decisions, files.__getitem__, selected)


def parse_references(references: Mapping[str, str]) -> dict[str, Selected]:
    """Every policy's reference; InvalidInput for one that is none."""
    return {policy: Selected.parse(text) for policy, text in references.items()}


def decide(
    path: str, found: FileMarkers, selected: Mapping[str, Selected], instead_of: Mapping[str, Selected] | None = None
) -> Decision:
    """Which markers of a file get which value. Where nothing changes, its content is not needed. With `instead_of`,
    only values that stand as these references say.
    """
    edits, missing = [], []
    problems = [_place(path, problem.line, problem.message) for problem in found.problems]
    for marker in found.markers:
        choice = selected.get(marker.policy)
        if choice is None:
            missing.append(Missing(path, marker.line, marker.policy))
            continue
        value = choice.part(marker.part)
        if not value:
            said = f"{choice.text} has no {marker.part}, which the marker asks for"
            problems.append(_place(path, marker.line, said))
        elif value != present_value(marker) and _stands(marker, instead_of):
            edits.append((marker, value))
    return Decision(found, tuple(edits), tuple(missing), tuple(problems))


def _stands(marker: Marker, references: Mapping[str, Selected] | None) -> bool:
    if references is None:
        return True
    reference = references.get(marker.policy)
    return reference is not None and present_value(marker) == reference.part(marker.part)


def conclude(
    decisions: Mapping[str, Decision], read: Callable[[str], bytes], selected: Mapping[str, Selected]
) -> Edited:
    """Apply decisions; `read` is asked for the files that change alone."""
    edited: dict[str, bytes] = {}
    changes: list[Change] = []
    problems: list[str] = []
    for path, decision in decisions.items():
        problems += decision.problems
        if not decision.edits:
            continue
        data = apply(read(path), decision.edits)
        if not _holds(data, decision.found, decision.edits):
            problems.append(f"{path} could not be edited without changing more than the marked values, so it was not")
            continue
        edited[path] = data
        changes += [_change(path, marker, value, selected) for marker, value in decision.edits]
    missing = tuple(one for decision in decisions.values() for one in decision.missing)
    named = frozenset(marker.policy for decision in decisions.values() for marker in decision.found.markers)
    return Edited(edited, tuple(changes), missing, tuple(problems), named)


def apply(data: bytes, edits: Iterable[tuple[Marker, str]]) -> bytes:
    """The file's bytes with the markers' values replaced, and no other byte."""
    parts, position = [], 0
    for marker, value in sorted(edits, key=lambda edit: edit[0].start):
        parts += [data[position : marker.start], write_scalar(value, marker.style).encode()]
        position = marker.end
    return b"".join([*parts, data[position:]])


def present_value(marker: Marker) -> str:
    """A marked value as it is compared: a block's ends with line breaks that are no part of a reference."""
    return marker.value.rstrip("\n") if marker.style in ("|", ">") else marker.value


def _holds(data: bytes, found: FileMarkers, edits: Iterable[tuple[Marker, str]]) -> bool:
    """Whether the edited file, read again, has the same markers, the edited ones with their new values."""
    new = {marker.start: value for marker, value in edits}
    wanted = [(marker.setter, new.get(marker.start, present_value(marker))) for marker in found.markers]
    return wanted == [(marker.setter, present_value(marker)) for marker in find_markers(data).markers]


def _change(path: str, marker: Marker, value: str, selected: Mapping[str, Selected]) -> Change:
    return Change(
        path=path,
        line=marker.line,
        old=present_value(marker),
        new=value,
        policy=marker.policy,
        setter=marker.setter,
        reference=selected[marker.policy].text,
        object=marker.object,
    )


def _place(path: str, line: int | None, message: str) -> str:
    return f"{path}:{line}: {message}" if line else f"{path}: {message}"
