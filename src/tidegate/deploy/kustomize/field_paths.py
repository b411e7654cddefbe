"""Field paths as replacements write them: `spec.template.spec.containers.[name=web].image`, `data.a\\.b`, `*`. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.yaml_scalars import Schema, untyped
from tidegate.deploy.kustomize.fieldspecs import split_path
from tidegate.deploy.kustomize.patterns import matches_somewhere
from tidegate.deploy.kustomize.resource import text_of

MISSING: Any = object()
_INDEX = re.compile(r"[0-9]+")


@frozen
class Place:
    """Where a value is: a key of a mapping, or an index of a list. `created` is whether it was made just now."""

    holder: Any
    key: str | int
    created: bool = False

    def get(self) -> Any:
        return self.holder[self.key]

    def set(self, value: Any) -> None:
        self.holder[self.key] = value


def split_field_path(path: str) -> list[str]:
    """The parts; what stands in brackets is one, and keeps them where it compares (`[name=web]`)."""
    parts: list[str] = []
    pieces = iter(split_path(path, "."))
    for piece in pieces:
        if not piece.startswith("[") or piece.endswith("]"):
            parts.append(piece)
            continue
        collected = [piece]
        for more in pieces:
            collected.append(more)
            if more.endswith("]"):
                break
        text = ".".join(collected)
        parts.append(text if "=" in text else text.strip("[]"))
    return parts


def look_up(value: Any, parts: list[str]) -> Any:
    """The one value at a path; MISSING where it is not there."""
    for part in (part.strip() for part in parts):
        if not part:
            continue
        value = _step(value, part)
        if value is MISSING or value is None:
            return MISSING
    return value


def _step(value: Any, part: str) -> Any:
    if is_comparison(part):
        return next((item for item in _items(value) if _equals(item, *split_comparison(part))), MISSING)
    if part == "*":
        raise InvalidInput("* is not allowed in the path of a source")
    if part == "-" or _INDEX.fullmatch(part.removeprefix("-")):
        items = _items(value)
        index = -1 if part == "-" else int(part)
        if index < -1 or (part != "-" and index < 0):
            raise InvalidInput(f"the index {part} is negative")
        return items[index] if -len(items) <= index < len(items) else MISSING
    if not isinstance(value, dict):
        raise InvalidInput(f"there is no mapping that holds {part}")
    return value.get(part, MISSING)


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput("there is no list")
    return value


def is_comparison(part: str) -> bool:
    """Whether a part of a path picks items of a list: `[name=web]`."""
    return part.startswith("[") and part.endswith("]")


def split_comparison(part: str) -> tuple[str, str]:
    """`[name=web]` → `name`, `web`; InvalidInput without an equals sign."""
    name, equals, value = part[1:-1].partition("=")
    if not equals:
        raise InvalidInput(f"{part} compares nothing", remedy="write [name=value]")
    return name, value


def _equals(item: Any, name: str, value: str) -> bool:
    if not name:
        return text_of(item) == value
    return isinstance(item, dict) and name in item and text_of(item[name]) == value


def find_places(root: Any, parts: list[str], new: Any = MISSING) -> list[Place]:
    """Every place that a path means. With `new`, what is missing is made so that it can hold a value like it."""
    holder = {"": root}
    return list(_places(Place(holder, ""), parts, new))


def _places(place: Place, parts: list[str], new: Any) -> Iterator[Place]:
    if not parts:
        yield place
        return
    part, rest, value = parts[0], parts[1:], place.get()
    if _INDEX.fullmatch(part):
        yield from _at_index(value, int(part), rest, new)
    elif is_comparison(part):
        yield from _compared(value, part, rest, new)
    elif part == "*":
        for index in range(len(_items(value))):
            yield from _places(Place(value, index), rest, new)
    elif isinstance(value, dict):
        created = part not in value
        if created and new is MISSING:
            return
        if created:
            value[part] = _start(rest, new)
        yield from _places(Place(value, part, created), rest, new)
    elif value is not None:
        raise InvalidInput(f"there is no mapping that holds {part}")


def _at_index(value: Any, index: int, rest: list[str], new: Any) -> Iterator[Place]:
    items = _items(value)
    created = index == len(items) and new is not MISSING
    if created:
        items.append(_start(rest, new))
    if index >= len(items):
        raise InvalidInput(f"the list has {len(items)} items, and so no {index}")
    yield from _places(Place(items, index, created), rest, new)


def _compared(collection: Any, part: str, rest: list[str], new: Any) -> Iterator[Place]:
    items = _items(collection)
    name, expression = split_comparison(part)
    found: list[Place] = []
    matched = False
    for index, item in enumerate(items):
        if _fits(item, name, expression):
            matched = True
            found += _places(Place(items, index), rest if name else [], new)
    if not found and not matched and new is not MISSING:
        value = untyped(expression, Schema.KUSTOMIZE)
        items.append({name: value} if name else value)
        found += _places(Place(items, len(items) - 1), rest if name else [], new)
    yield from found


def _fits(item: Any, name: str, expression: str) -> bool:
    if not name:
        return not isinstance(item, (dict, list)) and matches_somewhere(expression, text_of(item))
    return isinstance(item, dict) and name in item and matches_somewhere(expression, text_of(item[name]))


def _start(rest: list[str], new: Any) -> Any:
    """What a missing part is made as, by what comes below it."""
    if not rest:
        return copy.deepcopy(new) if isinstance(new, (dict, list)) else ""
    return [] if is_comparison(rest[0]) or _INDEX.fullmatch(rest[0]) else {}
