"""kustomize's ValueAddTransformer: a text into a field of many objects, or into a path that a field holds. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.yaml import load_document
from tidegate.deploy.kustomize.field_paths import is_comparison, split_comparison
from tidegate.deploy.kustomize.fieldspecs import split_path
from tidegate.deploy.kustomize.files import Folder
from tidegate.deploy.kustomize.namespaces import NAMESPACE_PATH
from tidegate.deploy.kustomize.resource import Resource, ResourceMap, text_of
from tidegate.deploy.kustomize.selectors import select


def add_value(resources: ResourceMap, config: Mapping[str, Any], folder: Folder, where: Where) -> None:
    """Put `value` (by default the folder's name) at every target's `fieldPath`; what is missing is made."""
    value = str(config.get("value") or "").strip() or posixpath.basename(folder.path)
    targets = list(config.get("targets") or [])
    if path := config.get("targetFilePath"):
        document = load_document(folder.read(str(path), where), file=folder.full_name(str(path)))
        targets += (document.value or {}).get("targets") or []
    if not targets:
        raise InvalidInput("targets are required", where=where)
    for target in targets:
        field_path, position = target.get("fieldPath"), int(target.get("filePathPosition") or 0)
        if not field_path or position < 0:
            raise InvalidInput("a target needs a fieldPath, and no negative filePathPosition", where=where)
        selector = target.get("selector")
        chosen = resources.resources if selector is None else select(resources.resources, selector)
        for resource in chosen:
            _add(resource, str(field_path), value, position)


def _add(resource: Resource, path: str, value: str, position: int) -> None:
    if path == NAMESPACE_PATH and resource.gvk.cluster_scoped:
        return
    node: Any = resource.data
    parts = split_path(path, "/")
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        holder, key = _slot(resource, node, part)
        if following is None:
            present = holder[key] if _has(holder, key) else None
            if isinstance(present, (dict, list)):
                raise InvalidInput(f"{path} holds no text", where=resource.where(path))
            holder[key] = _inserted(text_of(present), position, value) if position else value
        else:
            if not _has(holder, key) or holder[key] is None:
                holder[key] = [] if is_comparison(following) else {}
            node = holder[key]


def _slot(resource: Resource, node: Any, part: str) -> tuple[Any, Any]:
    """The collection and the key or index in it that a part of the path means."""
    if is_comparison(part) and isinstance(node, list):
        name, wanted = split_comparison(part)
        for index, item in enumerate(node):
            if isinstance(item, dict) and text_of(item.get(name)) == wanted:
                return node, index
        node.append({name: wanted})
        return node, len(node) - 1
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node, int(part)
    if isinstance(node, dict):
        return node, part
    raise InvalidInput(f"{resource.id} has nothing that holds {part}", where=resource.where(part))


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _inserted(path: str, position: int, value: str) -> str:
    """`a/b` with the value at place 2 is `a/VALUE/b`; a place behind the end is the end."""
    lead = "/" if path.startswith("/") else ""
    parts = [part for part in path.strip("/").split("/") if part]
    parts.insert(min(position - 1, len(parts)), value)
    return lead + "/".join(parts)
