"""The kustomization file: its fields, checked, with the older names brought to the present ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Document, Schema, field_path, load_documents
from tidegate.deploy.kustomize.shapes import ANY, FLAG, INTEGER, TEXT, TEXT_MAP, TEXTS, fit, list_of, map_of, record

KUSTOMIZATION, COMPONENT = "Kustomization", "Component"
API_VERSIONS = {KUSTOMIZATION: "kustomize.config.k8s.io/v1beta1", COMPONENT: "kustomize.config.k8s.io/v1alpha1"}

FIELD_SPEC = record(group=TEXT, version=TEXT, kind=TEXT, path=TEXT, create=FLAG)
SELECTOR = record(
    group=TEXT, version=TEXT, kind=TEXT, name=TEXT, namespace=TEXT, annotationSelector=TEXT, labelSelector=TEXT
)
FIELD_OPTIONS = record(delimiter=TEXT, index=INTEGER, encoding=TEXT, create=FLAG)
REPLACEMENT = record(
    path=TEXT,
    source=record(
        group=TEXT, version=TEXT, kind=TEXT, name=TEXT, namespace=TEXT, fieldPath=TEXT, options=FIELD_OPTIONS
    ),
    sourceValue=TEXT,
    targets=list_of(record(select=SELECTOR, reject=list_of(SELECTOR), fieldPaths=TEXTS, options=FIELD_OPTIONS)),
)
PATCH = record(path=TEXT, patch=TEXT, target=SELECTOR, options=record(allowNameChange=FLAG, allowKindChange=FLAG))
IMAGE = record(name=TEXT, newName=TEXT, tagSuffix=TEXT, newTag=TEXT, digest=TEXT)
GENERATOR_OPTIONS = record(labels=TEXT_MAP, annotations=TEXT_MAP, disableNameSuffixHash=FLAG, immutable=FLAG)
_GENERATOR = {
    "namespace": TEXT, "name": TEXT, "behavior": TEXT, "literals": TEXTS, "files": TEXTS, "envs": TEXTS, "env": TEXT,
    "options": GENERATOR_OPTIONS,
}  # fmt: skip
CONFIG_MAP = record(**_GENERATOR)
SECRET = record(**_GENERATOR, type=TEXT)
VAR = record(
    name=TEXT,
    objref=record(apiVersion=TEXT, group=TEXT, version=TEXT, kind=TEXT, name=TEXT, namespace=TEXT),
    fieldref=record(fieldPath=TEXT),
)
LABEL = record(pairs=TEXT_MAP, includeSelectors=FLAG, includeTemplates=FLAG, fields=list_of(FIELD_SPEC))
SORT = record(order=TEXT, legacySortOptions=record(orderFirst=TEXTS, orderLast=TEXTS))
FILE = record(
    apiVersion=TEXT, kind=TEXT, metadata=record(name=TEXT, namespace=TEXT, labels=TEXT_MAP, annotations=TEXT_MAP),
    openapi=TEXT_MAP, namePrefix=TEXT, nameSuffix=TEXT, namespace=TEXT, commonLabels=TEXT_MAP, labels=list_of(LABEL),
    commonAnnotations=TEXT_MAP, patchesStrategicMerge=TEXTS, patchesJson6902=list_of(PATCH), patches=list_of(PATCH),
    images=list_of(IMAGE), imageTags=list_of(IMAGE), replacements=list_of(REPLACEMENT),
    replicas=list_of(record(name=TEXT, count=INTEGER)), vars=list_of(VAR), sortOptions=SORT, resources=TEXTS,
    components=TEXTS, crds=TEXTS, bases=TEXTS, configMapGenerator=list_of(CONFIG_MAP),
    secretGenerator=list_of(SECRET), helmGlobals=map_of(ANY), helmCharts=list_of(ANY),
    helmChartInflationGenerator=list_of(ANY), generatorOptions=GENERATOR_OPTIONS, configurations=TEXTS,
    generators=TEXTS, transformers=TEXTS, validators=TEXTS, buildMetadata=TEXTS,
)  # fmt: skip
_HELM = ("helmGlobals", "helmCharts", "helmChartInflationGenerator")


@frozen
class Kustfile:
    """A kustomization file. `fields` are as kustomize documents them; absent ones are absent. Of a list in `added` the
    items from that index on come from the spec of a Flux Kustomization.
    """

    file: str
    fields: Mapping[str, Any]
    document: Document | None = None
    added: Mapping[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Kustomization or Component."""
        return str(self.fields.get("kind") or KUSTOMIZATION)

    def texts(self, name: str) -> list[str]:
        """A field that lists strings."""
        return [text or "" for text in self.fields.get(name) or []]

    def records(self, name: str) -> list[Mapping[str, Any]]:
        """A field that lists objects."""
        return [item or {} for item in self.fields.get(name) or []]

    def text(self, name: str) -> str:
        """A field that is a string; empty where it is absent."""
        return str(self.fields.get(name) or "")

    def where(self, *path: str | int) -> Where:
        """The place of a field in the file, or in the spec that it came from."""
        name, *rest = path
        if rest and isinstance(rest[0], int) and rest[0] >= self.added.get(str(name), rest[0] + 1):
            return Where(field=field_path(("spec", name, rest[0] - self.added[str(name)], *rest[1:])))
        return self.document.where(path) if self.document else Where(self.file)


def read_kustfile(data: bytes, file: str) -> Kustfile:
    """Read and check a kustomization file; InvalidInput with file, line and field. Of a field given twice the last one
    counts, and of several documents the first, as in kustomize.
    """
    documents = load_documents(data, file=file, schema=Schema.KUBERNETES, unique_keys=False)
    if not documents or not documents[0].value:
        raise InvalidInput("the kustomization file is empty", where=Where(file))
    document = documents[0]
    fields = fit(document.value, FILE, document)
    for name in _HELM:
        if fields.get(name):
            remedy = "render the chart with helm template, and commit what it prints"
            raise InvalidInput("Helm charts are not supported", where=document.where_key((name,)), remedy=remedy)
    result = Kustfile(file, _present_names(fields), document)
    _check_head(result)
    return result


def _check_head(kustfile: Kustfile) -> None:
    if kustfile.kind not in API_VERSIONS:
        raise InvalidInput(f"must be {KUSTOMIZATION} or {COMPONENT}", where=kustfile.where("kind"))
    version = kustfile.text("apiVersion")
    if version and version != API_VERSIONS[kustfile.kind]:
        raise InvalidInput(f"must be {API_VERSIONS[kustfile.kind]}", where=kustfile.where("apiVersion"))
    if all(value == "" for name, value in kustfile.fields.items() if name not in ("apiVersion", "kind")):
        raise InvalidInput("the kustomization file is empty", where=Where(kustfile.file))


def _present_names(fields: dict[str, Any]) -> dict[str, Any]:
    """`bases` are resources, `imageTags` images, and a generator's `env` one of its `envs`."""
    result = dict(fields)
    for old, new in (("bases", "resources"), ("imageTags", "images")):
        if old in result:
            result[new] = [*(result.get(new) or []), *(result.pop(old) or [])]
    for name in {"configMapGenerator", "secretGenerator"} & result.keys():
        result[name] = [_with_envs(item or {}) for item in result[name] or []]
    return result


def _with_envs(generator: dict[str, Any]) -> dict[str, Any]:
    result = dict(generator)
    if env := result.pop("env", None):
        result["envs"] = [*(result.get("envs") or []), env]
    return result
