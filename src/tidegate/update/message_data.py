"""What a commit message's template sees, with the types, fields and methods that Flux gives it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.update.edit import Change
from tidegate.update.gotemplate.values import STRING_MAP, Map, Slice, Struct
from tidegate.update.message_images import identifier, image_result, namespaced_name
from tidegate.update.objects import ObjectIdentity

_CHANGES = "[]update.Change"
_FILE_CHANGES = "map[string]update.ObjectChanges"
_OBJECT_CHANGES = "update.ObjectChanges"


@frozen
class MessageChange:
    """One changed value, as a template sees it. `reference` is all of what its policy selected, where it is known."""

    file: str
    object: ObjectIdentity
    old: str
    new: str
    setter: str
    reference: str = ""


@frozen
class MessageData:
    """What a message is about: the automation, the changes in order, and the values of `messageTemplateValues`."""

    namespace: str
    name: str
    changes: tuple[MessageChange, ...]
    values: Mapping[str, str]

    @classmethod
    def of(cls, namespace: str, name: str, changes: Iterable[Change], values: Mapping[str, str]) -> MessageData:
        """From what an edit changed."""
        told = (MessageChange(one.path, one.object, one.old, one.new, one.setter, one.reference) for one in changes)
        return cls(namespace, name, tuple(told), dict(values))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MessageData:
        """From the form that `tidegate try message` takes. Raises InvalidInput."""
        automation = _object(data, "AutomationObject")
        changes = [change for file in _list(_object(data, "Changed"), "FileChanges") for change in _file_changes(file)]
        values = _object(data, "Values")
        if not all(isinstance(value, str) for value in values.values()):
            raise InvalidInput("must be an object of strings", where=Where(field="Values"))
        return cls(_text(automation, "Namespace"), _text(automation, "Name"), tuple(changes), dict(values))


def template_data(data: MessageData, *, legacy: bool = False) -> Struct:
    """The root of a template's data: Flux's TemplateData. With `legacy` also `.Updated` and `.Changed.ImageResult`, as
    templates of v1beta1 and v1beta2 had them.
    """
    fields: list[tuple[str, Any]] = [("AutomationObject", namespaced_name(data.namespace, data.name))]
    changed = _result(data.changes)
    if legacy:
        images = image_result(data.changes)
        fields.append(("Updated", images))
        changed = replace(changed, fields=(("ImageResult", images), *changed.fields))
    fields += [("Changed", changed), ("Values", Map(dict(data.values), STRING_MAP, zero=""))]
    return Struct("source.TemplateData", tuple(fields))


def _result(changes: tuple[MessageChange, ...]) -> Struct:
    """Flux's update.Result: files → objects → changes, and all objects and all changes at once, each once."""
    files: dict[str, dict[Struct, list[Struct]]] = {}
    for change in changes:
        objects = files.setdefault(change.file, {})
        objects.setdefault(identifier(change.object), []).append(_change(change))
    return Struct(
        "update.Result",
        (("FileChanges", _file_map(files)),),
        {"Changes": lambda _: _all_changes(files), "Objects": lambda _: _all_objects(files)},
    )


def _file_map(files: Mapping[str, dict[Struct, list[Struct]]]) -> Map:
    empty = _object_map({})
    empty.is_nil = True
    entries = {path: _object_map(objects) for path, objects in files.items()}
    return Map(entries, _FILE_CHANGES, zero=empty, is_nil=not files)


def _object_map(objects: Mapping[Struct, list[Struct]]) -> Map:
    nothing = Slice([], _CHANGES, is_nil=True)
    return Map({key: Slice(list(changes), _CHANGES) for key, changes in objects.items()}, _OBJECT_CHANGES, zero=nothing)


def _all_changes(files: Mapping[str, dict[Struct, list[Struct]]]) -> Slice:
    seen: dict[Struct, None] = {}
    for _path, objects in _file_map(files).sorted_items():
        for _key, changes in objects.sorted_items():
            seen |= dict.fromkeys(changes.items)
    return Slice(list(seen), _CHANGES, is_nil=not seen)


def _all_objects(files: Mapping[str, dict[Struct, list[Struct]]]) -> Map:
    merged: dict[Struct, list[Struct]] = {}
    for _path, objects in sorted(files.items()):
        for key, changes in objects.items():
            merged.setdefault(key, []).extend(changes)
    return _object_map(merged)


def _change(change: MessageChange) -> Struct:
    return Struct("update.Change", (("OldValue", change.old), ("NewValue", change.new), ("Setter", change.setter)))


def _file_changes(file: Any) -> list[MessageChange]:
    if not isinstance(file, Mapping):
        raise InvalidInput("must be a list of objects", where=Where(field="Changed.FileChanges"))
    found = []
    for item in _list(file, "Objects"):
        identity = ObjectIdentity(*(_text(item, name) for name in ("APIVersion", "Kind", "Namespace", "Name")))
        for change in _list(item, "Changes"):
            old, new, setter = (_text(change, name) for name in ("OldValue", "NewValue", "Setter"))
            found.append(MessageChange(_text(file, "File"), identity, old, new, setter))
    return found


def _object(data: Any, name: str) -> Mapping[str, Any]:
    value = data.get(name) if isinstance(data, Mapping) else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput("must be an object", where=Where(field=name))
    return value


def _list(data: Any, name: str) -> list[Any]:
    value = data.get(name) if isinstance(data, Mapping) else None
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput("must be a list", where=Where(field=name))
    return value


def _text(data: Any, name: str) -> str:
    value = data.get(name, "") if isinstance(data, Mapping) else None
    if not isinstance(value, str):
        raise InvalidInput("must be a string", where=Where(field=name))
    return value
