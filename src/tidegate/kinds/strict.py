"""What the API server would refuse of a manifest before anything else: a kind that there is not, fields that its kind
does not have. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidegate.base.frozen import frozen
from tidegate.base.yaml import Path, field_path
from tidegate.kinds.api_fields import ROOTS, TYPES, Field
from tidegate.kinds.api_kinds import nearest, no_such_kind
from tidegate.kinds.objects import Object, group_of, version_of

_IDENTITY: dict[str, Field] = {"apiVersion": ("", False), "kind": ("", False), "metadata": ("ObjectMeta", False)}


@frozen
class Problem:
    """`path` is the field at fault; `message` says what is wrong with it and what was probably meant."""

    path: Path
    message: str


def problems(obj: Object) -> list[Problem]:
    """What is wrong with an object; nothing where its kind is of a group that is not known here."""
    api_version, kind = str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")
    if message := no_such_kind(api_version, kind):
        return [Problem(("kind",), message)]
    return unknown_fields(obj)


def unknown_fields(obj: Object) -> list[Problem]:
    """The fields that an object's kind does not have; none are found of kinds that are not listed."""
    api_version, kind = str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")
    if kind not in ROOTS.get((group_of(api_version), version_of(api_version)), ()):
        return []
    return list(_unknown(obj, _IDENTITY | TYPES[kind], ()))


def _unknown(value: object, fields: Mapping[str, Field], path: Path) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        return
    for name, content in value.items():
        here = (*path, name)
        if name not in fields:
            near = nearest(str(name), tuple(fields))
            meant = f': did you mean "{near}"?' if near else ""
            yield Problem(here, f'unknown field "{field_path(here)}"{meant}')
            continue
        kind, is_list = fields[name]
        if kind and is_list and isinstance(content, list):
            for index, item in enumerate(content):
                yield from _unknown(item, TYPES[kind], (*here, index))
        elif kind and not is_list:
            yield from _unknown(content, TYPES[kind], here)
