"""`configurations` and `crds`: what they add to the built-in field specs and name references. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.yaml import Document, load_documents
from tidegate.deploy.kustomize import default_specs
from tidegate.deploy.kustomize.fieldspecs import FieldSpec, FieldSpecs
from tidegate.deploy.kustomize.files import Folder
from tidegate.deploy.kustomize.identity import Gvk
from tidegate.deploy.kustomize.kustfile import FIELD_SPEC
from tidegate.deploy.kustomize.labels import spec_of
from tidegate.deploy.kustomize.ordering import place_of_kind
from tidegate.deploy.kustomize.reference_specs import NAME_REFERENCES, NameReferences
from tidegate.deploy.kustomize.shapes import TEXT, fit, list_of, record

DEEPEST_TYPE = 50
_DEFAULTS: dict[str, Sequence[FieldSpec]] = {
    "namePrefix": default_specs.NAME,
    "nameSuffix": default_specs.NAME,
    "namespace": default_specs.NAMESPACE,
    "commonLabels": default_specs.COMMON_LABELS,
    "labels": (),
    "templateLabels": default_specs.TEMPLATE_LABELS,
    "commonAnnotations": default_specs.ANNOTATIONS,
    "images": default_specs.IMAGES,
    "replicas": default_specs.REPLICAS,
}
_REFERENCE = record(group=TEXT, version=TEXT, kind=TEXT, fieldSpecs=list_of(FIELD_SPEC))
_FILE = record(
    **dict.fromkeys((*_DEFAULTS, "varReference"), list_of(FIELD_SPEC)), nameReference=list_of(_REFERENCE)
)  # fmt: skip
_REFERENCE_VERSION, _REFERENCE_KIND = "x-kubernetes-object-ref-api-version", "x-kubernetes-object-ref-kind"
_REFERENCE_NAME = "x-kubernetes-object-ref-name-key"
_MARKS = {
    "x-kubernetes-annotation": "commonAnnotations",
    "x-kubernetes-label-selector": "commonLabels",
    "x-kubernetes-identity": "namePrefix",
}
_OBJECT_FIELDS = frozenset({"kind", "apiVersion", "metadata"})


class _Additions:
    """What one file, or several, add."""

    def __init__(self) -> None:
        self.specs: dict[str, FieldSpecs] = {}
        self.references: list[NameReferences] = []

    def add(self, transformer: str, specs: Iterable[FieldSpec]) -> None:
        found = self.specs.setdefault(transformer, FieldSpecs())
        for spec in specs:
            found.add(spec)


class Configuration:
    """The field specs that a kustomization file works by: those built in, those of its bases, and its own.

    Sets are merged in kustomize's order, and sorted by kind after each: a spec for every kind gives way to one for some
    kind that is there before it, and two that differ in `create` are an error.
    """

    def __init__(self) -> None:
        self._specs: dict[str, Sequence[FieldSpec]] = {}
        self._references: Sequence[NameReferences] | None = None
        self._begun = False

    def specs(self, transformer: str) -> Sequence[FieldSpec]:
        """Where a transformer works."""
        return self._specs.get(transformer, _DEFAULTS[transformer])

    def references(self) -> Iterable[NameReferences]:
        """The fields that name objects."""
        return NAME_REFERENCES if self._references is None else self._references

    def merge(self, other: Configuration) -> None:
        """Take over the configuration of a base."""
        self._merge(other._specs, other.specs, other._references)

    def read(self, files: Sequence[str], crds: Sequence[str], folder: Folder, where: Callable[..., Where]) -> None:
        """Add the files of `configurations` and `crds` to what is built in; InvalidInput where one is none."""
        own, marked = _Additions(), _Additions()
        for index, name in enumerate(files):
            with _placed(folder.full_name(name)):
                _read_file(own, name, folder, where("configurations", index))
        for index, name in enumerate(crds):
            with _placed(folder.full_name(name)):
                _read_crd(marked, name, folder, where("crds", index))
        with _placed(folder.full_name("kustomization.yaml")):
            specs = {name: _sorted(_DEFAULTS[name], added.specs) for name, added in own.specs.items()}
            references = _with_references(NAME_REFERENCES, own.references) if own.references else None
            self._merge(specs, lambda name: specs.get(name, _DEFAULTS[name]), references)
            for name, added in marked.specs.items():
                self._specs[name] = _sorted(self.specs(name), added.specs)
            if marked.references:
                self._references = _with_references(self.references(), marked.references)

    def _merge(
        self,
        changed: Iterable[str],
        specs: Callable[[str], Sequence[FieldSpec]],
        references: Sequence[NameReferences] | None,
    ) -> None:
        for name in {*changed, *self._specs}:
            self._specs[name] = _sorted(self.specs(name) if self._begun else (), specs(name))
        if references is not None:
            self._references = _with_references(self.references(), references)
        self._begun = True


@contextmanager
def _placed(file: str) -> Iterator[None]:
    """Gives the errors of merging, which know no place, the file's name."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(error.message, where=error.where or Where(file), remedy=error.remedy) from None


def _sorted(specs: Sequence[FieldSpec], added: Iterable[FieldSpec]) -> Sequence[FieldSpec]:
    return sorted(FieldSpecs(specs).merged(added).specs, key=lambda spec: place_of_kind(spec.selector))


def _with_references(present: Iterable[NameReferences], added: Iterable[NameReferences]) -> Sequence[NameReferences]:
    """All of them, those of one target together."""
    found = {one.target: FieldSpecs(one.referrers) for one in present}
    for one in added:
        found[one.target] = found.get(one.target, FieldSpecs()).merged(one.referrers)
    merged = [NameReferences(target, tuple(specs.specs)) for target, specs in found.items()]
    return sorted(merged, key=lambda one: place_of_kind(one.target))


def _read_file(own: _Additions, name: str, folder: Folder, where: Where) -> None:
    documents = load_documents(folder.read(name, where), file=folder.full_name(name), unique_keys=False)
    for document in documents[:1]:
        found = fit(document.value, _FILE, document) or {}
        for transformer in _DEFAULTS:
            own.add(transformer, [spec_of(one or {}) for one in found.get(transformer) or []])
        FieldSpecs(spec_of(one or {}) for one in found.get("varReference") or [])
        own.references += [_reference(one or {}) for one in found.get("nameReference") or []]


def _read_crd(marked: _Additions, name: str, folder: Folder, where: Where) -> None:
    """What the types of a file say in their `x-kubernetes-…` marks."""
    data, file = folder.read(name, where), folder.full_name(name)
    if not data:
        raise InvalidInput("the file is empty", where=Where(file))
    for document in load_documents(data, file=file, unique_keys=False)[:1]:
        types = {key: _properties(value) for key, value in _mapping(document.value, document).items()}
        for type_name, properties in types.items():
            if properties.keys() >= _OBJECT_FIELDS:
                _add_type(marked, types, type_name, Gvk(kind=type_name.rpartition(".")[2]), ())


def _add_type(
    marked: _Additions, types: Mapping[str, Mapping[str, Any]], name: str, gvk: Gvk, path: tuple[str, ...]
) -> None:
    if len(path) > DEEPEST_TYPE:
        raise LimitExceeded(f"the type {name} leads back to itself")
    for key, found in types.get(name, {}).items():
        marks = {mark.lower(): value for mark, value in found.items()} if isinstance(found, dict) else {}
        inside = (*path, key)
        for mark, transformer in _MARKS.items():
            if isinstance(marks.get(mark), str):
                marked.add(transformer, [FieldSpec("/".join(inside), gvk)])
        version, kind = marks.get(_REFERENCE_VERSION), marks.get(_REFERENCE_KIND)
        if isinstance(version, str) and isinstance(kind, str):
            named = marks.get(_REFERENCE_NAME)
            spec = FieldSpec("/".join((*inside, named if isinstance(named, str) else "name")), gvk)
            marked.references.append(NameReferences(Gvk(version=version, kind=kind), (spec,)))
        if isinstance(marks.get("$ref"), str):
            _add_type(marked, types, marks["$ref"], gvk, inside)


def _reference(value: Mapping[str, Any]) -> NameReferences:
    group, version, kind = (str(value.get(part) or "") for part in ("group", "version", "kind"))
    return NameReferences(
        Gvk(group, version, kind), tuple(spec_of(one or {}) for one in value.get("fieldSpecs") or [])
    )  # fmt: skip


def _mapping(value: Any, document: Document) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("must be a mapping of type names to types", where=document.where(()))
    return value


def _properties(value: Any) -> Mapping[str, Any]:
    schema = _field(value, "schema")
    properties = _field(schema, "properties")
    return properties if isinstance(properties, dict) else {}


def _field(value: Any, name: str) -> Any:
    """A field, its name in any case, as Go's JSON reads it."""
    if not isinstance(value, dict):
        return None
    return next((found for key, found in value.items() if re.fullmatch(name, key, re.IGNORECASE)), None)
