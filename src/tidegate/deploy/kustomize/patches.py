"""`patches`, `patchesStrategicMerge` and `patchesJson6902`: reading them, and applying them to what they mean. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Schema, load_documents
from tidegate.deploy.kustomize.files import Folder
from tidegate.deploy.kustomize.jsonpatch import apply_patch
from tidegate.deploy.kustomize.openapi import Types
from tidegate.deploy.kustomize.reading import read_resources
from tidegate.deploy.kustomize.resource import Resource, ResourceMap, text_of
from tidegate.deploy.kustomize.selectors import select
from tidegate.deploy.kustomize.strategic import MISSING, merge


@frozen
class Patch:
    """A patch as it was read: strategic merge patches, or the operations of a JSON patch; never both."""

    merges: Sequence[Resource]
    operations: Sequence[Mapping[str, Any]]
    where: Where


def apply_patches_entry(resources: ResourceMap, entry: Mapping[str, Any], folder: Folder, where: Where) -> None:
    """One entry of `patches`."""
    patch = _read_entry(entry, folder, where)
    target = entry.get("target")
    options = entry.get("options") or {}
    if patch.operations:
        if target is None:
            raise InvalidInput("a JSON patch needs a target", where=where)
        for resource in select(resources.resources, target):
            resource.remember_id()
            _apply_operations(resource, patch)
        return
    if target is not None:
        if len(patch.merges) > 1:
            raise InvalidInput("several strategic merge patches in one entry cannot have a target", where=where)
        for merging in patch.merges:
            _merge_into(
                resources, select(resources.resources, target), merging, options, folder.types, where, retype=True
            )
        return
    for merging in patch.merges:
        _merge_into(resources, [_only(resources, merging, where)], merging, options, folder.types, where, retype=False)


def apply_strategic(resources: ResourceMap, text: str, folder: Folder, where: Where) -> None:
    """One entry of `patchesStrategicMerge`: the patch itself, or a file of them."""
    merges = _inline(text, where)
    if merges is None:
        merges = read_resources(folder.read(text, where), folder.full_name(text), patches=True)
    for merging in merges:
        _merge_into(resources, [_only(resources, merging, where)], merging, {}, folder.types, where, retype=True)


def apply_json6902(resources: ResourceMap, entry: Mapping[str, Any], folder: Folder, where: Where) -> None:
    """One entry of `patchesJson6902`."""
    target = entry.get("target") or {}
    if not target.get("name"):
        raise InvalidInput("the target of a JSON patch needs a name", where=where)
    text, source = _text_of_entry(entry, folder, where)
    operations = _operations(text, source)
    if not operations:
        raise InvalidInput("the patch is empty", where=where)
    for resource in select(resources.resources, target):
        _apply_operations(resource, Patch((), operations, where))


def _text_of_entry(entry: Mapping[str, Any], folder: Folder, where: Where) -> tuple[str, str]:
    text, path = str(entry.get("patch") or "").strip(), entry.get("path")
    if bool(text) == bool(path):
        raise InvalidInput("a patch needs either patch or path", where=where)
    if not path:
        return text, where.file or "patch"
    try:
        return folder.read(str(path), where).decode(), folder.full_name(str(path))
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not UTF-8", where=where) from None


def _read_entry(entry: Mapping[str, Any], folder: Folder, where: Where) -> Patch:
    text, source = _text_of_entry(entry, folder, where)
    try:
        merges = read_resources(text.encode(), source, patches=True)
    except TidegateError as error:
        try:
            return Patch((), _operations(text, source), where)
        except TidegateError:
            raise _neither(error, where, inline=not entry.get("path")) from None
    return Patch(merges, (), where)


def _neither(error: TidegateError, where: Where, *, inline: bool) -> InvalidInput:
    """Lines inside an inline patch say nothing to people, so the patch's own place is named."""
    message = f"this is neither a strategic merge patch nor a JSON patch: {error.message}"
    return InvalidInput(message, where=where if inline else error.where)


def _operations(text: str, source: str) -> list[Mapping[str, Any]]:
    if text.startswith("["):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise InvalidInput(f"the JSON patch is no JSON: {error}", where=Where(source)) from None
    else:
        documents = load_documents(text.encode(), file=source, schema=Schema.KUBERNETES)
        value = documents[0].value if documents else []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidInput("a JSON patch is a list of operations", where=Where(source))
    return value


def _inline(text: str, where: Where) -> list[Resource] | None:
    try:
        return read_resources(text.encode(), where.file or "patch", patches=True)
    except TidegateError:
        return None


def _only(resources: ResourceMap, patch: Resource, where: Where) -> Resource:
    found = resources.by_any_id(patch.id.same_as)
    if len(found) != 1:
        what = "no object" if not found else "more than one object"
        raise InvalidInput(f"{what} is meant by the patch of {patch.id}", where=where)
    return found[0]


def _merge_into(
    resources: ResourceMap,
    targets: list[Resource],
    patch: Resource,
    options: Mapping[str, Any],
    types: Types,
    where: Where,
    *,
    retype: bool,
) -> None:
    for target in targets:
        own = patch.copy().data
        if retype:
            own["apiVersion"] = target.data.get("apiVersion")
            _spell_nulls(own.get("metadata") or {})
        try:
            _merge_one(target, own, options, types)
        except InvalidInput as error:
            raise InvalidInput(f"{target.id}: {error.message}", where=where, remedy=error.remedy) from None
    resources.drop_empty()
    resources.check_unique("a patch")


def _spell_nulls(metadata: dict[str, Any], parts: Sequence[str] = ("labels", "annotations")) -> None:
    """What kustomize does to a patch that has a target: null labels and annotations become the text `null`."""
    for part in parts:
        texts = metadata.get(part)
        if isinstance(texts, dict):
            metadata[part] = {key: "null" if value is None else text_of(value) for key, value in texts.items()}


def _merge_one(target: Resource, patch: dict[str, Any], options: Mapping[str, Any], types: Types) -> None:
    kind, name, namespace = target.data.get("kind"), target.metadata.get("name"), target.metadata.get("namespace")
    renames, retypes = bool(options.get("allowNameChange")), bool(options.get("allowKindChange"))
    if renames or retypes:
        target.remember_id()
    schema = types.of(text_of(target.data.get("apiVersion")), text_of(kind))
    merged = merge(target.data, patch, schema)
    if merged is MISSING or not merged:
        target.data = {}
        return
    if merged is patch:  # kustomize merges in place, so a directive to replace the whole object changes nothing
        return
    target.data = merged
    metadata = merged.setdefault("metadata", {})
    if not retypes:
        merged["kind"] = kind
    if not renames:
        metadata["name"] = name
    if namespace is None:
        metadata.pop("namespace", None)
    else:
        metadata["namespace"] = namespace


def _apply_operations(resource: Resource, patch: Patch) -> None:
    try:
        resource.data = apply_patch(resource.data, patch.operations)
    except InvalidInput as error:
        message = f"{resource.id}: {error.message}"
        raise InvalidInput(message, where=patch.where, remedy=error.remedy) from None
    annotations = resource.metadata.get("annotations")
    if isinstance(annotations, list):
        raise InvalidInput(f"{resource.id}: the patch leaves annotations that are a list", where=patch.where)
    if isinstance(annotations, dict):
        _spell_nulls(resource.metadata, ("annotations",))
    resource.set_texts("annotations", resource.annotations())
    if resource.earlier or resource.behavior:
        resource.have_annotations()
