"""Reads what the checks are about from a tree of files: Flux's objects with their places, workflows, and markers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from tidegate.base.errors import InvalidInput, LimitExceeded, TidegateError, Where
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Document, Path, load_documents
from tidegate.kinds.common import Model
from tidegate.kinds.fields import InvalidObject
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.kustomization import Kustomization
from tidegate.kinds.objects import Object
from tidegate.kinds.receiver import Receiver
from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.patched import find_patches
from tidegate.update.marker import WORD, FileMarkers
from tidegate.update.marker_index import is_yaml
from tidegate.update.markers import NOTHING, find_markers
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import is_workflow, parse_workflow
from tidegate.workflow.problems import InvalidWorkflow

UNREADABLE = Rule("unreadable", "A file that can't be read, so that nothing is proven", "lint.md")
INVALID = Rule("invalid-manifest", "An object of Flux's with a wrong field", "lint.md")
_GROUP = b"toolkit.fluxcd.io"
M_co = TypeVar("M_co", bound=Model, covariant=True)


@frozen
class Place:
    """Where an object is written: its document, and the path to it there (an item of a List)."""

    document: Document
    path: Path = ()

    def at(self, *path: str | int) -> Where:
        """Where the value at a path is, or what would hold it; the object itself without a path."""
        found = self.document.where((*self.path, *path))
        return Where(found.file, found.line, found.column)

    def key(self, *path: str | int) -> Where:
        """Where the key that ends a path is."""
        found = self.document.where_key((*self.path, *path))
        return Where(found.file, found.line, found.column)


@frozen
class Found(Generic[M_co]):
    """An object, read, and where it is written."""

    model: M_co
    place: Place
    raw: Object

    @property
    def name(self) -> str:
        """`NAMESPACE/NAME`, as far as the manifest says it."""
        key = self.model.key
        return f"{key.namespace}/{key.name}" if key.namespace else key.name

    @property
    def where(self) -> Where:
        """The line of its name, else of itself."""
        return self.place.at("metadata", "name")


@frozen
class Repository:
    """A repository's files as far as the checks need them. `markers` are by path. `problems` are what was wrong.
    `namespaces` are those that kustomizations put objects into, whatever is written."""

    paths: Sequence[str]
    automations: Sequence[Found[ImageUpdateAutomation]]
    policies: Sequence[Found[ImagePolicy]]
    images: Sequence[Found[ImageRepository]]
    sources: Sequence[Found[GitRepository]]
    kustomizations: Sequence[Found[Kustomization]]
    receivers: Sequence[Found[Receiver]]
    workflows: Mapping[str, Workflow]
    markers: Mapping[str, FileMarkers]
    actions: Mapping[str, bytes]
    problems: Sequence[Finding]
    namespaces: frozenset[str]
    read: Callable[[str], bytes]


_MODELS: Mapping[str, Callable[[Object], Model]] = {
    "GitRepository": GitRepository.from_object,
    "ImagePolicy": ImagePolicy.from_object,
    "ImageRepository": ImageRepository.from_object,
    "ImageUpdateAutomation": ImageUpdateAutomation.from_object,
    "Kustomization": Kustomization.from_object,
    "Receiver": Receiver.from_object,
}
_GROUPS = {
    "GitRepository": "source.toolkit.fluxcd.io",
    "Kustomization": "kustomize.toolkit.fluxcd.io",
    "Receiver": "notification.toolkit.fluxcd.io",
}


def read_repository(files: Files) -> Repository:
    """Everything of a tree; what can't be read is among `problems`, each at its line."""
    paths = list(files.paths())
    found: dict[str, list[Found[Any]]] = {kind: [] for kind in _MODELS}
    workflows: dict[str, Workflow] = {}
    markers: dict[str, FileMarkers] = {}
    actions: dict[str, bytes] = {}
    patches = find_patches(paths, files.read)
    problems: list[Finding] = [*patches.findings]
    for path in paths:
        if not is_yaml(path):
            continue
        try:
            content = files.read(path)
            if is_workflow(path):
                workflows[path] = parse_workflow(content, path)
            elif path.endswith(("action.yml", "action.yaml")):
                actions[path] = content
            elif path not in patches.files:
                for one in _objects(content, path, problems):
                    found[one.model.key.kind].append(one)
        except (InvalidInput, LimitExceeded) as error:
            problems += _unreadable(path, error, content if b"{{" in content else b"")
        if WORD.encode() in content and (marked := find_markers(content)) != NOTHING:
            markers[path] = marked
    return Repository(
        paths,
        found["ImageUpdateAutomation"],
        found["ImagePolicy"],
        found["ImageRepository"],
        found["GitRepository"],
        found["Kustomization"],
        found["Receiver"],
        workflows,
        markers,
        actions,
        problems,
        patches.namespaces | _target_namespaces(found["Kustomization"]),
        files.read,
    )


def _target_namespaces(kustomizations: Sequence[Found[Kustomization]]) -> frozenset[str]:
    return frozenset(found.model.target_namespace for found in kustomizations if found.model.target_namespace)


def _objects(content: bytes, path: str, problems: list[Finding]) -> Iterator[Found[Any]]:
    if _GROUP not in content:
        return
    for document in load_documents(content, file=path):
        for place, raw in _of_document(document):
            kind = str(raw.get("kind"))
            group = str(raw.get("apiVersion")).partition("/")[0]
            if kind not in _MODELS or group != _GROUPS.get(kind, "image.toolkit.fluxcd.io"):
                continue
            try:
                yield Found(_MODELS[kind](raw), place, raw)
            except InvalidInput as error:
                problems.append(_invalid(kind, place, error))


def _of_document(document: Document) -> Iterator[tuple[Place, Object]]:
    """The objects of a document: itself, or the items of a List."""
    value = document.value
    if not isinstance(value, dict):
        return
    if value.get("kind") == "List" and isinstance(value.get("items"), list):
        for number, item in enumerate(value["items"]):
            if isinstance(item, dict):
                yield Place(document, ("items", number)), item
    else:
        yield Place(document), value


def _invalid(kind: str, place: Place, error: InvalidInput) -> Finding:
    if isinstance(error, InvalidObject):
        path = error.problems[0][0]
        said = f"{kind}: {error}"
        return Finding(INVALID, Level.ERROR, place.at(*path), said, error.remedy or "Flux refuses this object")
    field = error.where.field.split(".") if error.where and error.where.field else []
    return Finding(INVALID, Level.ERROR, place.at(*field), f"{kind}: {error}", error.remedy or "")


def _unreadable(path: str, error: TidegateError, template: bytes) -> Iterator[Finding]:
    """A workflow or a manifest that can't be read. A template (Helm's, say) is no manifest yet: a warning."""
    if isinstance(error, InvalidWorkflow):
        for problem in error.problems:
            yield Finding(UNREADABLE, Level.UNREADABLE, problem.where, problem.message, problem.help or "")
        return
    where = error.where or Where(path)
    if template:
        remedy = "render it, and let lint look at what comes out"
        message = "this is a template, not YAML: the Flux objects in it are not looked at"
        yield Finding(UNREADABLE, Level.WARNING, Where(path, where.line, where.column), message, remedy)
        return
    yield Finding(
        UNREADABLE, Level.UNREADABLE, Where(path, where.line, where.column), error.message, error.remedy or ""
    )
