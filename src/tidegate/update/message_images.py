"""What templates of v1beta1 and v1beta2 see of an update: objects, and the images that they were given. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tidegate.kinds.reference import DEFAULT_TAG, parse
from tidegate.update.gotemplate.values import Map, Slice, Struct
from tidegate.update.objects import ObjectIdentity

_IMAGES = "[]update.ImageRef"
_OBJECTS = "map[update.ObjectIdentifier][]update.ImageRef"
_FILES = "map[string]update.FileResult"


class ChangedImage(Protocol):
    """A change that tells its whole reference."""

    @property
    def file(self) -> str: ...

    @property
    def object(self) -> ObjectIdentity: ...

    @property
    def setter(self) -> str: ...

    @property
    def reference(self) -> str: ...


def namespaced_name(namespace: str, name: str) -> Struct:
    """types.NamespacedName, written `NAMESPACE/NAME`."""
    fields = (("Namespace", namespace), ("Name", name))
    return Struct("types.NamespacedName", fields, {"String": lambda _: f"{namespace}/{name}"})


def identifier(identity: ObjectIdentity) -> Struct:
    kind = Struct(
        "yaml.TypeMeta",
        (("APIVersion", identity.api_version), ("Kind", identity.kind)),
        json_names={"APIVersion": "apiVersion", "Kind": "kind"},
    )
    name = Struct(
        "yaml.NameMeta",
        (("Name", identity.name), ("Namespace", identity.namespace)),
        json_names={"Name": "name", "Namespace": "namespace"},
    )
    both = frozenset({"TypeMeta", "NameMeta"})
    resource = Struct("yaml.ResourceIdentifier", (("TypeMeta", kind), ("NameMeta", name)), embedded=both)
    only = frozenset({"ResourceIdentifier"})
    return Struct("update.ObjectIdentifier", (("ResourceIdentifier", resource),), embedded=only)


def image_result(changes: Iterable[ChangedImage]) -> Struct:
    """update.Result as it was: `.Files`, and all images and all objects at once."""
    files: dict[str, dict[Struct, list[Struct]]] = {}
    for change in changes:
        if change.reference:
            objects = files.setdefault(change.file, {})
            objects.setdefault(identifier(change.object), []).append(_image(change))
    results = {path: Struct("update.FileResult", (("Objects", _objects(found)),)) for path, found in files.items()}
    methods = {"Images": lambda _: _images(files), "Objects": lambda _: _all_objects(files)}
    return Struct("update.Result", (("Files", Map(dict(results), _FILES)),), methods)


def _image(change: ChangedImage) -> Struct:
    """One ImageRef: the reference as it was written, and its parts in canonical form."""
    text = change.reference
    reference = parse(text)
    namespace, _, rest = change.setter.partition(":")
    identity = reference.digest or reference.tag or DEFAULT_TAG
    methods = {
        "String": lambda _: text,
        "Identifier": lambda _: identity,
        "Repository": lambda _: reference.repository.path,
        "Registry": lambda _: reference.repository.registry,
        "Name": lambda _: str(reference),
        "Policy": lambda _: namespaced_name(namespace, rest.partition(":")[0]),
    }
    return Struct("update.imageRef", (("Reference", text),), methods)


def _objects(found: dict[Struct, list[Struct]]) -> Map:
    nothing = Slice([], _IMAGES, is_nil=True)
    return Map({key: Slice(list(images), _IMAGES) for key, images in found.items()}, _OBJECTS, zero=nothing)


def _images(files: dict[str, dict[Struct, list[Struct]]]) -> Slice:
    """Every image once, in the order of files."""
    seen: dict[Struct, None] = {}
    for _path, objects in sorted(files.items()):
        for images in objects.values():
            seen |= dict.fromkeys(images)
    return Slice(list(seen), _IMAGES)


def _all_objects(files: dict[str, dict[Struct, list[Struct]]]) -> Map:
    merged: dict[Struct, list[Struct]] = {}
    for _path, objects in sorted(files.items()):
        for key, images in objects.items():
            merged.setdefault(key, []).extend(images)
    return _objects(merged)
