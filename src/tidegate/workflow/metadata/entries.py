"""Reads the inputs of the metadata action: lists of comma-separated attributes."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.workflow.expressions.numbers import number_of_text

PRIORITIES: Mapping[str, int] = {
    "schedule": 1000, "semver": 900, "pep440": 900, "match": 800, "edge": 700, "ref": 600, "raw": 200, "sha": 100,
}  # fmt: skip
_DEFAULT_TAGS = ("type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr")
_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "schedule": {"pattern": "nightly"},
    "semver": {"value": ""},
    "pep440": {"value": ""},
    "match": {"group": "0", "value": ""},
    "edge": {"branch": ""},
    "sha": {"prefix": "sha-", "format": "short"},
}
_NEEDED = {"semver": "pattern", "pep440": "pattern", "match": "pattern", "ref": "event", "raw": "value"}
_MOST_ENTRIES = 1000


@frozen
class Tag:
    """One entry of `tags`."""

    type: str
    attributes: Mapping[str, str]

    @property
    def priority(self) -> float:
        """Higher ones come first."""
        return number_of_text(self.attributes["priority"])


@frozen
class Flavor:
    """`flavor`: what holds for every tag."""

    latest: str = "auto"
    prefix: str = ""
    prefix_on_latest: bool = False
    suffix: str = ""
    suffix_on_latest: bool = False


def entries(text: str) -> list[str]:
    """The lines of an input, without empty ones and comments."""
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if len(found) > _MOST_ENTRIES:
        raise InvalidInput(f"an input has more than {_MOST_ENTRIES} entries")
    return found


def _attributes(entry: str) -> list[tuple[str, str | None]]:
    """`a=b,c` as pairs of name in lower case and value; a field without `=` has no value."""
    try:
        fields = next(csv.reader([entry], strict=True), [])
    except csv.Error as error:
        raise InvalidInput(f"the entry {entry!r} cannot be read: {error}") from error
    pairs: list[tuple[str, str | None]] = []
    for field in fields:
        name, equals, value = field.partition("=")
        pairs.append((name.strip().lower(), value.strip()) if equals else (field.strip(), None))
    return pairs


def read_images(text: str) -> list[str]:
    """The enabled images' names in lower case: one a line, or (as of old) one line of several."""
    lines = entries(text)
    if len(lines) == 1 and all(value is None for _, value in _attributes(lines[0])):
        return [name.lower() for name, _ in _attributes(lines[0])]
    return [name for line in lines if (name := _image(line)) is not None]


def _image(line: str) -> str | None:
    name, enabled = "", True
    for key, value in _attributes(line):
        if value is None:
            name = key.lower()
        elif key == "name":
            name = value.lower()
        elif key == "enable" and value in ("true", "false"):
            enabled = value == "true"
        else:
            raise InvalidInput(f"the image entry {line!r} has an unknown attribute or value: {key}={value}")
    if not name:
        raise InvalidInput(f"the image entry {line!r} names no image")
    return name if enabled else None


def read_tags(text: str) -> list[Tag]:
    """The tag entries, those of the highest priority first."""
    tags = [_tag(line) for line in entries(text) or _DEFAULT_TAGS]
    return sorted(tags, key=lambda tag: 0 if math.isnan(tag.priority) else -tag.priority)


def _tag(line: str) -> Tag:
    attributes: dict[str, str] = {}
    kind = "raw"
    for key, value in _attributes(line):
        if value is None:
            attributes["value"] = key
        elif key == "type":
            if value not in PRIORITIES:
                known = ", ".join(PRIORITIES)
                raise InvalidInput(f"the tag entry {line!r} has an unknown type {value!r}", remedy=f"known: {known}")
            kind = value
        else:
            attributes[key] = value
    needed = _NEEDED.get(kind)
    if needed is not None and needed not in attributes:
        raise InvalidInput(f"the tag entry {line!r} needs the attribute {needed!r}")
    attributes = {**_DEFAULTS.get(kind, {}), "enable": "true", "priority": str(PRIORITIES[kind]), **attributes}
    _check(line, kind, attributes)
    if kind == "ref" and attributes["event"] == "pr":
        attributes.setdefault("prefix", "pr-")
    return Tag(kind, attributes)


def _check(line: str, kind: str, attributes: Mapping[str, str]) -> None:
    allowed: Sequence[str] = {"ref": ("branch", "tag", "pr"), "sha": ("short", "long")}.get(kind, ())
    name = "event" if kind == "ref" else "format"
    if allowed and attributes[name] not in allowed:
        raise InvalidInput(f"the tag entry {line!r} has a wrong {name}", remedy=f"allowed: {', '.join(allowed)}")
    if kind == "match" and not attributes["group"].isdecimal():
        raise InvalidInput(f"the tag entry {line!r} has a group that is no number")


def read_flavor(text: str) -> Flavor:
    """The flavor; `onlatest` belongs to the prefix or suffix before it."""
    found = {"latest": "auto", "prefix": "", "suffix": "", "prefix-onlatest": "false", "suffix-onlatest": "false"}
    for line in entries(text):
        last = ""
        for key, value in _attributes(line):
            if value is None or key not in ("latest", "prefix", "suffix", "onlatest"):
                raise InvalidInput(f"the flavor entry {line!r} is unknown")
            allowed = {"latest": ("auto", "true", "false"), "onlatest": ("true", "false")}.get(key)
            if allowed and value not in allowed:
                raise InvalidInput(f"the flavor entry {line!r}: {key} is one of {', '.join(allowed)}")
            last = key if key in ("prefix", "suffix") else last
            found[f"{last}-onlatest" if key == "onlatest" and last else key] = value
    return Flavor(
        found["latest"],
        found["prefix"],
        found["prefix-onlatest"] == "true",
        found["suffix"],
        found["suffix-onlatest"] == "true",
    )
