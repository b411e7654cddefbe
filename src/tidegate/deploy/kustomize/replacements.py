"""`replacements`: a value of one object, copied into fields of others. Pure."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.yaml import load_documents
from tidegate.base.yaml_scalars import Schema, untyped
from tidegate.deploy.kustomize.field_paths import MISSING, Place, find_places, look_up, split_field_path
from tidegate.deploy.kustomize.files import Folder
from tidegate.deploy.kustomize.identity import Gvk, ResourceId
from tidegate.deploy.kustomize.kustfile import REPLACEMENT
from tidegate.deploy.kustomize.resource import Resource, fits_in_place_of, text_of
from tidegate.deploy.kustomize.selectors import fits_id, has_labels
from tidegate.deploy.kustomize.shapes import fit, list_of
from tidegate.deploy.kustomize.structured import replace_inside

DEFAULT_PATH = "metadata.name"


class Literal(str):
    """A `sourceValue`: text without a type, which becomes whatever it reads as where nothing says otherwise."""

    __slots__ = ()


Source = Callable[[], Any]
_ID_PARTS = ("group", "version", "kind", "name", "namespace")


def read_replacements(entries: Iterable[Mapping[str, Any]], folder: Folder, where: Where) -> list[Mapping[str, Any]]:
    """The entries, those that only name a file replaced by what the file holds."""
    found: list[Mapping[str, Any]] = []
    for entry in entries:
        path = entry.get("path")
        if not path:
            found.append(entry)
            continue
        if entry.get("source") or entry.get("targets"):
            raise InvalidInput("a replacement has either a path or a source and targets", where=where)
        documents = load_documents(folder.read(str(path), where), file=folder.full_name(str(path)))
        for document in documents[:1]:
            if isinstance(document.value, list):
                found += fit(document.value, list_of(REPLACEMENT), document)
            else:
                found.append(fit(document.value, REPLACEMENT, document))
    return found


def replace_all(resources: list[Resource], entries: Iterable[Mapping[str, Any]], where: Where) -> None:
    """Do every replacement in order; InvalidInput where a source or a target's field is not there."""
    for entry in entries:
        source, value = entry.get("source"), entry.get("sourceValue")
        targets = entry.get("targets")
        if (source is None and value is None) or targets is None:
            raise InvalidInput("a replacement needs a source and targets", where=where)
        if source is not None and value is not None:
            raise InvalidInput("a replacement has either a source or a sourceValue", where=where)
        copied = _literal(str(value)) if source is None else _source_value(resources, source, where)
        for target in targets:
            _into_targets(resources, target or {}, copied, where)


def _literal(text: str) -> Source:
    return lambda: Literal(text)


def _source_value(resources: list[Resource], source: Mapping[str, Any], where: Where) -> Source:
    """What is copied. Without a delimiter it is read anew for each target: an earlier one may have changed it."""
    wanted = _selector_id(source)
    found = [one for one in resources if any(known.selected_by(wanted) for known in one.all_ids())]
    if len(found) != 1:
        what = "nothing is" if not found else "several objects are"
        raise InvalidInput(f"{what} selected by the source of a replacement", where=where)
    path = source.get("fieldPath") or DEFAULT_PATH
    parts = split_field_path(path)
    value = look_up(found[0].data, parts)
    if value is MISSING or value in (None, "", [], {}):
        raise InvalidInput(f"{found[0].id} has no {path} to copy", where=where)
    options = source.get("options") or {}
    if options.get("delimiter"):
        part = _part(value, options, where)
        return lambda: part
    return lambda: look_up(found[0].data, parts)


def _selector_id(source: Mapping[str, Any]) -> ResourceId:
    group, version, kind, name, namespace = (str(source.get(part) or "") for part in _ID_PARTS)
    return ResourceId(Gvk(group, version, kind), name, namespace)


def _part(value: Any, options: Mapping[str, Any], where: Where) -> str:
    delimiter = str(options["delimiter"])
    if isinstance(value, (dict, list)):
        raise InvalidInput("a delimiter needs a scalar", where=where)
    parts, index = text_of(value).split(delimiter), int(options.get("index") or 0)
    if not 0 <= index < len(parts):
        raise InvalidInput(f"{value!r} has no part {index}", where=where)
    return parts[index]


def _into_targets(resources: list[Resource], target: Mapping[str, Any], source: Source, where: Where) -> None:
    select = target.get("select")
    if select is None:
        raise InvalidInput("the target of a replacement needs select", where=where)
    for resource in resources:
        if _is_target(resource, select, target.get("reject") or []):
            for path in target.get("fieldPaths") or [DEFAULT_PATH]:
                _into_field(resource, path, source(), target.get("options") or {}, where)


def _is_target(resource: Resource, select: Mapping[str, Any], rejects: Iterable[Mapping[str, Any]]) -> bool:
    if not has_labels(select, resource):
        return False
    for reject in rejects:
        by_label = reject.get("annotationSelector") or reject.get("labelSelector")
        if by_label and has_labels(reject, resource):
            return False
        by_id = any(reject.get(part) for part in _ID_PARTS)
        if by_id and any(fits_id(reject, known) for known in resource.all_ids()):
            return False
    return any(fits_id(select, known) for known in resource.all_ids())


def _into_field(resource: Resource, path: str, value: Any, options: Mapping[str, Any], where: Where) -> None:
    parts = split_field_path(path)
    create = bool(options.get("create"))
    if replace_inside(resource.data, parts, value, create=create):
        return
    try:
        places = find_places(resource.data, parts, value if create else MISSING)
    except InvalidInput as error:
        raise InvalidInput(f"{resource.id}: {path}: {error.message}", where=where) from None
    if not places:
        raise InvalidInput(f"{resource.id} has no {path} to replace", where=where)
    for place in places:
        _set(place, value, options, where)


def _set(place: Place, value: Any, options: Mapping[str, Any], where: Where) -> None:
    present, delimiter = place.get(), options.get("delimiter")
    if delimiter:
        if isinstance(present, (dict, list)):
            raise InvalidInput("a delimiter needs a scalar", where=where)
        value = _joined(text_of(present), text_of(value), delimiter, int(options.get("index") or 0))
    if isinstance(present, (dict, list)) and not place.created:
        place.set(untyped(value, Schema.KUSTOMIZE) if isinstance(value, Literal) else copy.deepcopy(value))
    elif isinstance(value, (dict, list)):
        if not place.created and not isinstance(present, str):
            raise InvalidInput(f"a mapping or list cannot take the place of {present!r}", where=where)
        place.set(copy.deepcopy(value) if place.created else "")
    else:
        place.set(retyped(present, text_of(value), created=place.created, where=where))


def _joined(present: str, value: str, delimiter: str, index: int) -> str:
    parts = present.split(delimiter)
    if index < 0:
        return delimiter.join([value, *parts])
    if index >= len(parts):
        return delimiter.join([*parts, value])
    return delimiter.join([*parts[:index], value, *parts[index + 1 :]])


def retyped(present: Any, text: str, *, created: bool, where: Where) -> Any:
    """A scalar's new text as the type that it had: a string stays one, a number must be one."""
    if isinstance(present, str) and not created:
        return text
    new = untyped(text, Schema.KUSTOMIZE)
    if not created and not fits_in_place_of(new, text, present):
        raise InvalidInput(f"{text!r} cannot take the place of {present!r}", where=where)
    return new
