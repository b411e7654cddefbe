"""A workload that wants to run on an architecture for which its image is not built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.base.errors import TidegateError, Where
from tidegate.base.yaml import Document, Path, load_documents, value_at
from tidegate.kinds.platform import Platform
from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.known import Known
from tidegate.update.marker import Marker

RULE = Rule(
    "platform-not-built", "A workload for an architecture that its image is not built for", "lint.md#platform-not-built"
)
LABELS = ("kubernetes.io/arch", "beta.kubernetes.io/arch")
_TEMPLATES: tuple[Path, ...] = (
    ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"), ("spec",),
)  # fmt: skip


def check(known: Known) -> Iterator[Finding]:
    """An error at each node selector (or required affinity) that names an architecture which no build here has."""
    for path, found in known.repository.markers.items():
        try:
            documents = load_documents(known.repository.read(path), file=path)
        except TidegateError:
            continue  # a template, say: its markers are found by their lines alone
        for document in documents:
            for wanted, where in _wanted(document):
                for marker in found.markers:
                    if _holds(document, marker):
                        yield from _marker(known, marker, wanted, where)


def _marker(known: Known, marker: Marker, wanted: str, where: Where) -> Iterator[Finding]:
    namespace, _, name = marker.policy.partition(":")
    for policy in known.catalogue.policies.named(namespace, name):
        builds = known.builds_for(policy)
        built = {str(platform) for build in builds for platform in _platforms(build.platforms)}
        if not builds or any(build.platforms is None for build in builds):
            continue
        if not any(Platform.parse(platform).architecture == wanted for platform in built):
            places = ", ".join(dict.fromkeys(f"{build.where.file}:{build.where.line}" for build in builds))
            message = (
                f"the workload wants {wanted}, but its image is built for {', '.join(sorted(built))} only ({places})"
            )
            yield Finding(RULE, Level.ERROR, where, message, f"add the platform to the build: {_platform_of(wanted)}")


def _platforms(written: tuple[str, ...] | None) -> Iterator[Platform]:
    for text in written or ():
        try:
            yield Platform.parse(text)
        except TidegateError:
            continue  # the build's own error


def _platform_of(architecture: str) -> str:
    return "linux/arm/v7" if architecture == "arm" else f"linux/{architecture}"


def _holds(document: Document, marker: Marker) -> bool:
    """Whether a marker is in a document, by the object that the marker's place belongs to."""
    value = document.value
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return isinstance(value, Mapping) and (value.get("kind"), name) == (marker.object.kind, marker.object.name)


def _wanted(document: Document) -> Iterator[tuple[str, Where]]:
    """The architectures that a workload names, each with its place: one of them is enough in an affinity's list, so
    only a list of one counts.
    """
    for path in _TEMPLATES:
        spec = value_at(document.value, path)
        if not isinstance(spec, Mapping):
            continue
        selector = spec.get("nodeSelector")
        for label in LABELS:
            if isinstance(selector, Mapping) and isinstance(selector.get(label), str):
                yield selector[label], _place(document, (*path, "nodeSelector", label))
        way: Path = (
            *path,
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
            "nodeSelectorTerms",
        )
        terms = value_at(document.value, way)
        if isinstance(terms, list) and len(terms) == 1:
            yield from _of_term(document, terms[0], (*way, 0))


def _of_term(document: Document, term: Any, path: Path) -> Iterator[tuple[str, Where]]:
    expressions = term.get("matchExpressions") if isinstance(term, Mapping) else None
    for number, one in enumerate(expressions if isinstance(expressions, list) else ()):
        values = one.get("values") if isinstance(one, Mapping) else None
        if isinstance(values, list) and len(values) == 1 and one.get("key") in LABELS and one.get("operator") == "In":
            yield str(values[0]), _place(document, (*path, "matchExpressions", number, "values", 0))


def _place(document: Document, path: Path) -> Where:
    found = document.where(path)
    return Where(found.file, found.line, found.column)
