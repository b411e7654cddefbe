"""Manifests → resources: what is no object is refused, lists are taken apart. Pure."""

from __future__ import annotations

import re
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.yaml import Document, Path, Schema, load_documents
from tidegate.deploy.kustomize.resource import Resource, text_of

_SEPARATOR = re.compile(rb"(?<=\n)---(?P<rest>[^\n]*)(?=\n)")
LOCAL_CONFIG = "config.kubernetes.io/local-config"


def read_resources(data: bytes, file: str, *, patches: bool = False) -> list[Resource]:
    """Every object of a file, those of lists behind the others, as kustomize orders them. In `patches` a null
    annotation stays one: it deletes.
    """
    documents = load_documents(_separated(data, file), file=file, schema=Schema.KUSTOMIZE)
    if len(documents) == 1 and _is_plain_list(documents[0].value):
        items = documents[0].value.get("items") or []
        queue = [
            _checked(item, documents[0], ("items", index), patches=patches) for index, item in enumerate(items) if item
        ]
    else:
        queue = [_checked(document.value, document, (), patches=patches) for document in documents if document.value]
    return [Resource(_normalised(found), file, local=_is_local(found)) for found in _without_lists(queue, file)]


def _separated(data: bytes, file: str) -> bytes:
    """The data with its separators as YAML wants them. kustomize takes any line that starts with `---` for one, and
    behind it, up to the last such line, nothing but a comment; the blank before that may be missing.
    """

    def checked(found: re.Match[bytes]) -> bytes:
        rest = found["rest"].strip()
        if rest and not rest.startswith(b"#"):
            line = data.count(b"\n", 0, found.start("rest")) + 1
            raise InvalidInput("only a comment may follow --- on its line", where=Where(file, line))
        return found[0].replace(b"---#", b"--- #", 1)

    return _SEPARATOR.sub(checked, data)


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, dict) and value.get("kind") in ("List", "ResourceList") and "items" in value


def _checked(value: Any, document: Document, path: Path, *, patches: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("a manifest must be a mapping", where=document.where(path))
    kind = text_of(value.get("kind"))
    if not kind:
        raise InvalidInput("a manifest needs a kind", where=document.where((*path, "kind")))
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise InvalidInput("must be a mapping", where=document.where((*path, "metadata")))
    name = text_of((metadata or {}).get("name"))
    if not name and not kind.endswith("List"):
        raise InvalidInput("a manifest needs a name", where=document.where((*path, "metadata", "name")))
    _spell_annotations(value, document, path, patches=patches)
    return value


def _spell_annotations(value: dict[str, Any], document: Document, path: Path, *, patches: bool) -> None:
    """Annotations are text: one written as a number or a date keeps its spelling."""
    metadata = value.get("metadata") or {}
    for part in ("annotations", "labels"):
        texts = metadata.get(part)
        if texts is not None and not isinstance(texts, dict):
            raise InvalidInput("must be a mapping", where=document.where((*path, "metadata", part)))
    annotations = metadata.get("annotations") or {}
    for name, found in annotations.items():
        if isinstance(found, (dict, list)):
            raise InvalidInput("must be text", where=document.where((*path, "metadata", "annotations", name)))
        if found is not None or not patches:
            annotations[name] = document.text((*path, "metadata", "annotations", name)) or ""


def _without_lists(queue: list[dict[str, Any]], file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while queue:
        value = queue.pop(0)
        if not text_of(value.get("kind")).endswith("List") or "items" not in value:
            found.append(value)
            continue
        items = value["items"]
        if items is not None and not isinstance(items, list):
            raise InvalidInput(f"the items of a {value['kind']} must be a list, in {file}")
        for item in items or []:
            if not isinstance(item, dict) or not item.get("kind"):
                raise InvalidInput(f"an item of a {value['kind']} is no object, in {file}")
            queue.append(item)
    return found


def _normalised(value: dict[str, Any]) -> dict[str, Any]:
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and metadata.get("annotations") in (None, {}):
        metadata.pop("annotations", None)
    return value


def _is_local(value: dict[str, Any]) -> bool:
    annotations = (value.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(LOCAL_CONFIG, "false")) != "false"
