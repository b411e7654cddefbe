"""What several kinds share: a model's identity, and references to other objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object, ObjectKey, key_of, version_of


@frozen(kw_only=True)
class Model:
    """The part that every kind has. `unknown_fields` are the paths of spec fields that no served version has: they
    are kept in the object, and have no effect.
    """

    key: ObjectKey
    version: str
    unknown_fields: tuple[str, ...] = ()


@frozen
class LocalReference:
    """An object of the same namespace."""

    name: str


@frozen
class SourceReference:
    """A source; `namespace` is None for the referrer's own."""

    kind: str
    name: str
    namespace: str | None = None


@frozen
class NamedReference:
    """An object of a known kind; `namespace` is None for the referrer's own."""

    name: str
    namespace: str | None = None


@frozen
class GitReference:
    """What of a Git repository is meant; the most exact one that is set counts: commit, name, semver, tag, branch."""

    branch: str | None = None
    tag: str | None = None
    semver: str | None = None
    name: str | None = None
    commit: str | None = None


@frozen
class LabelSelector:
    """Kubernetes's metav1.LabelSelector; an empty one matches everything."""

    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is meant."""
        if any(labels.get(name) != value for name, value in self.match_labels.items()):
            return False
        return all(_holds(labels, *expression) for expression in self.match_expressions)


_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_LABEL_PREFIX = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def _holds(labels: Mapping[str, str], name: str, operator: str, values: tuple[str, ...]) -> bool:
    if operator == "In":
        return labels.get(name) in values
    if operator == "NotIn":
        return labels.get(name) not in values
    return (name in labels) == (operator == "Exists")


def identity(obj: Object, group: str, kind: str, versions: tuple[str, ...]) -> tuple[ObjectKey, str]:
    """The key and version of an object that must be of this kind; InvalidInput names what is wrong."""
    key = key_of(obj)
    version = version_of(str(obj["apiVersion"]))
    if (key.group, key.kind) != (group, kind):
        where = Where(field="kind")
        raise InvalidInput(f"{obj['apiVersion']} {key.kind} is no {group} {kind}", where=where)
    if version not in versions:
        remedy = f"write apiVersion: {group}/{versions[0]}"
        raise InvalidInput(
            f"{kind} has no version {version!r}: {', '.join(versions)}", where=Where(field="apiVersion"), remedy=remedy
        )
    return key, version


def local_reference(fields: Fields, name: str, *, required: bool = False) -> LocalReference | None:
    """`{name}`."""
    reference = fields.child(name, required=required)
    return LocalReference(reference.text("name", required=True)) if reference else None


def source_reference(fields: Fields, kinds: tuple[str, ...], default: str = "") -> SourceReference:
    """`sourceRef`, of one of `kinds`."""
    reference = fields.inside("sourceRef", required=True)
    reference.raw("apiVersion")
    kind = reference.text("kind", default, required=not default, choices=kinds)
    return SourceReference(kind, reference.text("name", required=True), reference.optional_text("namespace"))


def git_reference(fields: Fields, name: str) -> GitReference | None:
    """A `ref`; None where it is absent."""
    reference = fields.child(name)
    if reference is None:
        return None
    return GitReference(
        branch=reference.optional_text("branch"),
        tag=reference.optional_text("tag"),
        semver=reference.optional_text("semver"),
        name=reference.optional_text("name"),
        commit=reference.optional_text("commit"),
    )


def label_selector(fields: Fields, name: str) -> LabelSelector | None:
    """A metav1.LabelSelector; None where it is absent."""
    selector = fields.child(name)
    if selector is None:
        return None
    expressions = []
    for expression in selector.children("matchExpressions"):
        operator = expression.text("operator", required=True, choices=OPERATORS)
        values = expression.texts("values")
        if (operator in ("In", "NotIn")) != bool(values):
            expression.wrong("values", f"must {'not ' if values else ''}be given with {operator}")
        key = expression.text("key", required=True)
        _check_labels(expression, {"key": [key] if key else []}, {"values": values})
        expressions.append((key, operator, values))
    labels = selector.text_map("matchLabels")
    _check_labels(selector, {"matchLabels": labels}, {"matchLabels": labels.values()})
    return LabelSelector(labels, tuple(expressions))


def _check_labels(fields: Fields, keys: Mapping[str, Iterable[str]], values: Mapping[str, Iterable[str]]) -> None:
    """Note what can be no label: a selector with it would select nothing, and say nothing."""
    for name, given in keys.items():
        for key in given:
            prefix, slash, rest = key.rpartition("/")
            if not _LABEL_NAME.fullmatch(rest) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
                fields.wrong(name, f"{key!r} is no label's key: [PREFIX/]NAME, of letters, digits, '-', '_' and '.'")
    for name, given in values.items():
        for value in given:
            if value and not _LABEL_NAME.fullmatch(value):
                message = f"{value!r} is no label's value: at most 63 letters, digits, '-', '_' and '.'"
                fields.wrong(name, message)


def mapping(value: Any) -> Mapping[str, Any]:
    """A status's part as a mapping; an empty one where it is absent or of another shape."""
    return value if isinstance(value, Mapping) else {}
