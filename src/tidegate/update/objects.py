"""Which Kubernetes object a place in a YAML text belongs to, as a commit message names it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from tidegate.base.frozen import frozen
from tidegate.update.yaml_text import loader

DEEPEST = 500
"""Levels; the time that the scanner takes for each bracket grows with those around it."""
_LISTS = ("List", "ResourceList")
_FIELDS = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}


@frozen(order=True)
class ObjectIdentity:
    """What names an object; all empty for a document that is none."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


class Region(NamedTuple):
    """The characters of a document, or of one item of a list, and the object they are."""

    start: int
    end: int
    identity: ObjectIdentity


@dataclass(slots=True)
class _Frame:
    """An open mapping (with the key whose value comes next) or sequence (with the index that comes next)."""

    is_mapping: bool
    start: int
    key: str | int | None = None
    index: int = 0


@dataclass(slots=True)
class _Document:
    start: int
    fields: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    items: dict[int, tuple[int, int]] = field(default_factory=dict)


def find_objects(text: str) -> list[Region]:
    """Every document of a text with its object, and the items of lists after them. Raises yaml.YAMLError where the
    text does not parse, or is deeper than DEEPEST.
    """
    regions: list[Region] = []
    frames: list[_Frame] = []
    document = _Document(0)
    event: Any
    for event in yaml.parse(text, Loader=loader()):
        if isinstance(event, yaml.DocumentStartEvent):
            document = _Document(_index(event.start_mark))
        elif isinstance(event, yaml.DocumentEndEvent):
            regions += _regions(document, _index(event.end_mark))
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(frames) == DEEPEST:
                raise yaml.YAMLError(f"it is more than {DEEPEST} levels deep")
            frames.append(_Frame(isinstance(event, yaml.MappingStartEvent), _index(event.start_mark)))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = frames.pop()
            path = _path(frames)
            if len(path) == 2 and path[0] == "items" and isinstance(path[1], int):
                document.items[path[1]] = (closed.start, _index(event.end_mark))
            _step(frames)
        elif isinstance(event, yaml.NodeEvent):
            _scalar(document, frames, event)
    return regions


def object_at(regions: Sequence[Region], index: int) -> ObjectIdentity:
    """The object at a character: an item's before its list's."""
    position = bisect_right(regions, index, key=lambda region: region.start)
    for region in reversed(regions[:position]):
        if index < max(region.end, region.start + 1):
            return region.identity
    return ObjectIdentity()


def _index(mark: Any) -> int:
    return int(mark.index)


def _scalar(document: _Document, frames: list[_Frame], event: Any) -> None:
    text = event.value if isinstance(event, yaml.ScalarEvent) else None
    if frames and frames[-1].is_mapping and frames[-1].key is None:
        frames[-1].key = text if text is not None else "*"
        return
    path = _path(frames)
    if text is not None and len(path) <= 4 and (path in _FIELDS or (path[:1] == ("items",) and path[2:] in _FIELDS)):
        document.fields[path] = text
    _step(frames)


def _step(frames: list[_Frame]) -> None:
    """A value is complete: the next one has another key or index."""
    if not frames:
        return
    frame = frames[-1]
    if not frame.is_mapping:
        frame.index += 1
    elif frame.key is None:
        frame.key = "?"  # a collection as a key
    else:
        frame.key = None


def _path(frames: list[_Frame]) -> tuple[str | int, ...]:
    if len(frames) > 5:
        return ("",) * len(frames)
    return tuple((frame.key if frame.key is not None else "") if frame.is_mapping else frame.index for frame in frames)


def _regions(document: _Document, end: int) -> list[Region]:
    found = [Region(document.start, end, _identity(document, ()))]
    if found[0].identity.kind in _LISTS:
        found += [Region(*span, _identity(document, ("items", number))) for number, span in document.items.items()]
    return found


def _identity(document: _Document, prefix: tuple[str | int, ...]) -> ObjectIdentity:
    def read(*path: str) -> str:
        return document.fields.get((*prefix, *path), "")

    return ObjectIdentity(read("apiVersion"), read("kind"), read("metadata", "namespace"), read("metadata", "name"))
