"""Reading an object's fields into a model: every wrong field is found and named, and no field goes unseen.

A model asks for the fields it knows; what nobody asked for is unknown. Faults are collected, so that a person sees
all of them at once, and carry the field's path, from which `located` finds the line in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.yaml import Document, Path, field_path
from tidegate.kinds import duration
from tidegate.kinds.objects import Object

DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+", re.ASCII)
SHORT_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m))+", re.ASCII)


class InvalidObject(InvalidInput):
    """An object's fields are wrong. `problems` lists each with its path; the message shows all of them."""

    def __init__(self, problems: Sequence[tuple[Path, str]], *, where: Where | None = None):
        path, message = problems[0]
        rest = "".join(f"; {field_path(other)}: {text}" for other, text in problems[1:])
        super().__init__(f"{message}{rest}", where=where or Where(field=field_path(path)))
        self.problems = tuple(problems)


def located(error: InvalidInput, document: Document) -> InvalidInput:
    """The same error with the file, line and column at which the field is written in `document`."""
    if not isinstance(error, InvalidObject):
        field = error.where.field if error.where else None
        return InvalidInput(error.message, where=document.where((field,) if field else ()), remedy=error.remedy)
    return InvalidObject(error.problems, where=document.where(error.problems[0][0]))


class Fields:
    """One mapping of an object, read field by field. An absent field and a null are the same."""

    def __init__(self, values: Mapping[str, Any], path: Path, problems: list[tuple[Path, str]], unknown: list[str]):
        self._values = values
        self._path = path
        self._problems = problems
        self._unknown = unknown
        self._known: set[str] = set()
        self._children: list[Fields] = []

    @classmethod
    def of(cls, obj: Object, part: str = "spec") -> Fields:
        """The fields of a part of an object, its spec or status."""
        values = obj.get(part)
        fields = cls(values if isinstance(values, Mapping) else {}, (part,), [], [])
        if values is not None and not isinstance(values, Mapping):
            fields.wrong(None, f"must be a mapping, not {_kind_of(values)}")
        return fields

    def finish(self) -> tuple[str, ...]:
        """The paths of the unknown fields, once every known one was asked for; InvalidObject where any was wrong."""
        self._sweep()
        if self._problems:
            raise InvalidObject(self._problems)
        return tuple(self._unknown)

    def wrong(self, name: str | int | None, message: str) -> None:
        """Note a fault of a field, or with None of the mapping itself."""
        self._problems.append((self._path if name is None else (*self._path, name), message))

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def raw(self, name: str) -> Any:
        """The field as it is, unchecked; None where it is absent."""
        self._known.add(name)
        return self._values.get(name)

    def text(
        self,
        name: str,
        default: str = "",
        *,
        required: bool = False,
        choices: Sequence[str] = (),
        pattern: re.Pattern[str] | None = None,
        longest: int | None = None,
    ) -> str:
        """A string. `pattern` must match the whole of it; an empty optional one is taken for absent."""
        value = self._typed(name, str, "a string", required)
        if not value:
            return default
        if choices and value not in choices:
            self.wrong(name, f"must be one of {', '.join(choices)}, not {value!r}")
        elif pattern is not None and not pattern.fullmatch(value):
            self.wrong(name, f"{value!r} must match {pattern.pattern}")
        elif longest is not None and len(value) > longest:
            self.wrong(name, f"must have at most {longest} characters")
        return str(value)

    def optional_text(self, name: str, *, choices: Sequence[str] = ()) -> str | None:
        """A string, or None where it is absent or empty."""
        return self.text(name, choices=choices) or None

    def flag(self, name: str, default: bool = False, *, required: bool = False) -> bool:
        """A boolean."""
        value = self._typed(name, bool, "true or false", required)
        return default if value is None else bool(value)

    def integer(self, name: str, default: int, *, least: int | None = None) -> int:
        """A whole number."""
        value = self._typed(name, int, "a whole number", required=False)
        if value is None:
            return default
        if least is not None and value < least:
            self.wrong(name, f"must be at least {least}")
        return int(value)

    def seconds(self, name: str, *, required: bool = False, pattern: re.Pattern[str] = DURATION) -> float | None:
        """A duration such as `1m30s`, in seconds; None where it is absent."""
        value = self._typed(name, str, "a duration", required)
        if value is None:
            return None
        if not pattern.fullmatch(value):
            units = "ms, s or m" if pattern is SHORT_DURATION else "ms, s, m or h"
            self.wrong(name, f"{value!r} is no duration: write numbers with the units {units}, as 1m30s")
            return None
        try:
            return duration.seconds(value)
        except InvalidInput as error:
            self.wrong(name, error.message)
            return None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._typed(name, list, "a list", required=False) or []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self._problems.append(((*self._path, name, index), f"must be a string, not {_kind_of(value)}"))
        return tuple(value for value in values if isinstance(value, str))

    def text_map(self, name: str) -> dict[str, str]:
        """A mapping of strings."""
        values = self._typed(name, Mapping, "a mapping", required=False) or {}
        for key, value in values.items():
            if not isinstance(value, str):
                message = f"must be a string, not {_kind_of(value)}: put it in quotes"
                self._problems.append(((*self._path, name, str(key)), message))
        return {str(key): value for key, value in values.items() if isinstance(value, str)}

    def child(self, name: str, *, required: bool = False) -> Fields | None:
        """A mapping's own fields, or None where it is absent."""
        values = self._typed(name, Mapping, "a mapping", required)
        return None if values is None else self._below(values, name)

    def inside(self, name: str, *, required: bool = False) -> Fields:
        """A mapping's own fields; where it is absent, of an empty one."""
        return self.child(name, required=required) or Fields({}, (*self._path, name), self._problems, [])

    def children(self, name: str) -> list[Fields]:
        """The fields of each mapping in a list."""
        values = self._typed(name, list, "a list", required=False) or []
        found = []
        for index, value in enumerate(values):
            if isinstance(value, Mapping):
                found.append(self._below(value, name, index))
            else:
                self._problems.append(((*self._path, name, index), f"must be a mapping, not {_kind_of(value)}"))
        return found

    def _below(self, values: Mapping[str, Any], *path: str | int) -> Fields:
        child = Fields(values, (*self._path, *path), self._problems, self._unknown)
        self._children.append(child)
        return child

    def _typed(self, name: str, kind: type, words: str, required: bool) -> Any:
        self._known.add(name)
        value = self._values.get(name)
        if value is None or (required and value == ""):
            if required:
                self.wrong(name, "is required")
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.wrong(name, f"must be {words}, not {_kind_of(value)}")
            return None
        return value

    def _sweep(self) -> None:
        self._unknown += [field_path((*self._path, str(name))) for name in self._values if name not in self._known]
        for child in self._children:
            child._sweep()  # noqa: SLF001 - of the same class


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "the number " + str(value) if isinstance(value, (int, float)) else f"the string {value!r}"
