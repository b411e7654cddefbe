"""The columns of kinds that say them as paths: Flux's, ours, and those of any CustomResourceDefinition. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.columns import COLUMNS, LATEST_IMAGE, SUSPENDED, PrinterColumn
from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.ages import age
from tidegate.serve.kubernetes.jsonpath import find

NONE = "<none>"
Cell = Callable[[Object, datetime], Any]
_FORMATS = {"date": "string"}


@frozen
class Column:
    """A column's heading and how to fill it; `priority` 1 shows it only with `-o wide`."""

    name: str
    cell: Cell
    priority: int = 0
    type: str = "string"
    description: str = ""

    def definition(self) -> dict[str, Any]:
        """As a Table's columnDefinitions say it."""
        form = "name" if self.name == "Name" else ""
        shown = _FORMATS.get(self.type, self.type)
        described = self.description or f"{self.name} of the object"
        return {
            "name": self.name, "type": shown, "format": form, "description": described, "priority": self.priority,
        }  # fmt: skip


def at(name: str, path: str, *, priority: int = 0, kind: str = "string") -> Column:
    """A column that shows what lies at a path; a `date` as its age."""
    return Column(name, _reader(path, kind), priority, kind)


def _reader(path: str, kind: str) -> Cell:
    if kind == "date":
        return lambda obj, now: age(found, now) if (found := find(obj, path)) is not None else ""
    if kind == "string":
        return lambda obj, _: _text(find(obj, path))
    return lambda obj, _: find(obj, path)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def suspended(obj: Object, _now: datetime) -> str:
    """Whether `spec.suspend` is set, as the guide spells it: True or False."""
    return "True" if find(obj, ".spec.suspend") is True else "False"


def _latest_image(obj: Object, _now: datetime) -> str:
    """v1beta2's latestImage, or v1's latestRef put together; the digest follows where it was looked up."""
    name, tag = find(obj, ".status.latestRef.name"), find(obj, ".status.latestRef.tag")
    if name:
        digest = find(obj, ".status.latestRef.digest")
        return f"{name}:{tag}" + (f"@{digest}" if digest else "")
    return _text(find(obj, ".status.latestImage"))


NAME = Column("Name", lambda obj, _: obj["metadata"]["name"])
AGE = at("Age", ".metadata.creationTimestamp", kind="date")


def wide(column: Column) -> Column:
    """The same column, with `-o wide` only."""
    return Column(column.name, column.cell, 1, column.type, column.description)


_CELLS: Mapping[str, Cell] = {LATEST_IMAGE: _latest_image, SUSPENDED: suspended}
"""What is shown here although a status does not say it: what an older or another controller has left out."""


def _printed(column: PrinterColumn) -> Column:
    cell = _CELLS.get(column.path) or _reader(column.path, column.type)
    return Column(column.name, cell, column.priority, column.type)


DECLARED: Mapping[tuple[str, str], Sequence[Column]] = {
    kind: (NAME, *map(_printed, columns)) for kind, columns in COLUMNS.items()
}
UNDECLARED: Sequence[Column] = (NAME, AGE)


def columns_of_definition(definition: Mapping[str, Any], version: str) -> Sequence[Column]:
    """The columns that a CustomResourceDefinition declares for a version; name and age where it declares none."""
    versions = find(definition, ".spec.versions")
    for item in versions if isinstance(versions, list) else []:
        declared = item.get("additionalPrinterColumns") if isinstance(item, Mapping) else None
        if isinstance(declared, list) and item.get("name") == version:
            return (NAME, *(_declared(column) for column in declared if isinstance(column, Mapping)))
    return UNDECLARED


def _declared(column: Mapping[str, Any]) -> Column:
    priority = column.get("priority")
    return at(
        str(column.get("name") or ""),
        str(column.get("jsonPath") or ""),
        priority=priority if isinstance(priority, int) else 0,
        kind=str(column.get("type") or "string"),
    )
