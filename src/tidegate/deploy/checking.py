"""Reads what is about to be applied by the models of our kinds, so that a fault is told at its line, and nothing of the
folder is applied, as with Flux, where the API server refuses such an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.files import Files
from tidegate.base.yaml import Document, Path, Schema, field_path, load_documents, value_at
from tidegate.deploy.home_check import Check, no_problems
from tidegate.deploy.kustomize.identity import Gvk, ResourceId
from tidegate.deploy.kustomize.resource import Resource, text_of
from tidegate.kinds.fields import InvalidObject, located
from tidegate.kinds.models import model_of


def check(resources: Sequence[Resource], files: Files, also: Check = no_problems) -> None:
    """Raise InvalidInput for the wrong fields of all of them, each with its file, line, column and path."""
    faults = []
    for resource in resources:
        try:
            model_of(resource.data)
        except InvalidInput as error:
            faults.append(_placed(error, resource, files))
        faults += [
            InvalidInput(problem.message, where=_where(problem.path, resource, files))
            for problem in also(resource.data)
        ]
    if faults:
        first, *others = faults
        message = "\n".join([first.message, *map(str, others)])
        raise InvalidInput(message, where=first.where, remedy=first.remedy)


def _placed(error: InvalidInput, resource: Resource, files: Files) -> InvalidInput:
    """The error at the line where the field is written; only with its file where a patch has made it what it is."""
    path = error.problems[0][0] if isinstance(error, InvalidObject) else ()
    document = _document(resource, files)
    if document is not None and (not path or value_at(document.value, path) == value_at(resource.data, path)):
        return located(error, document)
    field = error.where.field if error.where else None
    return InvalidInput(f"{resource.id}: {error.message}", where=resource.where(field), remedy=error.remedy)


def _where(path: Path, resource: Resource, files: Files) -> Where:
    """The line of a field's name; only its file where it was not written there, as what a patch has brought."""
    document = _document(resource, files)
    if document is not None and path and value_at(document.value, path) is not None:
        return document.where_key(path)
    return resource.where(field_path(path))


def _document(resource: Resource, files: Files) -> Document | None:
    """The document that a resource was read from; None where it was generated, or was an item of a list."""
    if resource.file is None or not files.is_file(resource.file):
        return None
    documents = load_documents(files.read(resource.file), file=resource.file, schema=Schema.KUSTOMIZE)
    return next((found for found in documents if _is(found.value, resource.original_id)), None)


def _is(value: Any, wanted: ResourceId) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return False
    gvk = Gvk.of(text_of(value.get("apiVersion")), text_of(value.get("kind")))
    metadata = value["metadata"]
    return ResourceId(gvk, text_of(metadata.get("name")), text_of(metadata.get("namespace"))).same_as(wanted)
