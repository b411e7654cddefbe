"""The ImageRepository and ImagePolicy of an application: those that are there, else new ones, with the first rule that
may select what the workflow makes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar

from tidegate.base.errors import Conflict
from tidegate.base.frozen import frozen
from tidegate.kinds.common import Model
from tidegate.kinds.image_policy import GROUP, ImagePolicy
from tidegate.kinds.objects import Object
from tidegate.kinds.reference import parse_repository
from tidegate.lint.building import Build
from tidegate.lint.repository import Found
from tidegate.lint.selecting import is_image, may_select, tag_of
from tidegate.scaffold.survey import Survey
from tidegate.scaffold.templates import IMAGE_POLICY, IMAGE_REPOSITORY, fill
from tidegate.scaffold.yaml_text import block

M = TypeVar("M", bound=Model)
RULES: tuple[Mapping[str, Any], ...] = (
    {"policy": {"semver": {"range": ">=1.0.0"}}},
    {"policy": {"semver": {"range": ">=0.0.0"}}},
    {"filterTags": {"pattern": "^[0-9]+$"}, "policy": {"numerical": {"order": "asc"}}},
    {
        "filterTags": {"pattern": "^.+-[0-9a-f]{7,40}-(?P<number>[0-9]+)$", "extract": "$number"},
        "policy": {"numerical": {"order": "asc"}},
    },
)
"""Tried in this order: versions, versions below 1 as well, run numbers, and BRANCH-COMMIT-NUMBER, as Flux advises."""


@frozen
class Policy:
    """The policy for an application, the documents that are new, and what is there of it."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    documents: tuple[str, ...] = ()
    raw: Object = field(default_factory=dict)

    @property
    def setter(self) -> str:
        """As a marker names it."""
        return f"{self.namespace}:{self.name}"


def policy_for(
    found: Survey, name: str, image: str, marked: str | None, builds: Sequence[Build], labels: Mapping[str, str]
) -> Policy:
    """The policy of an image, which a marker may name already (`marked`). A new one has `labels`.

    Raises Conflict where the names that new objects would have are taken by objects of other images.
    """
    namespace, _, wanted = (marked or f"{found.namespace}:{name}").partition(":")
    images, policies = _of(found.images, namespace), _of(found.policies, namespace)
    scanning = [one for one in images if parse_repository(one.model.image) == parse_repository(image)]
    scanned = {one.model.key.name for one in scanning}
    present = [one for one in policies if one.model.repository_name in scanned]
    present = [one for one in present if one.model.key.name == wanted] or ([] if marked else present)
    if present:
        metadata = present[0].raw.get("metadata") or {}
        return Policy(namespace, present[0].model.key.name, metadata.get("labels") or {}, raw=present[0].raw)
    repository = scanning[0].model.key.name if scanning else name
    taken: list[Found[Any]] = [one for one in policies if one.model.key.name == wanted]
    taken += [one for one in images if not scanning and one.model.key.name == name]
    if taken:
        kind = taken[0].model.key.kind
        raise Conflict(
            f"{taken[0].where}: there is a {kind} {taken[0].name} already, of another image than {image}",
            remedy="choose another name, or say which image is meant with --image",
        )
    documents = [] if scanning else [_repository(found, name, namespace, image)]
    documents.append(_policy(found, wanted, namespace, repository, _rule(image, builds), labels))
    return Policy(namespace, wanted, labels, tuple(documents))


def builds_of(found: Survey, image: str) -> list[Build]:
    """What the workflows push of an image for certain."""
    return [one for builds in found.known.builds.values() for one in builds if is_image(one.reference, image)]


def _of(objects: Sequence[Found[M]], namespace: str) -> list[Found[M]]:
    """The objects of a namespace; one that is not written may be any."""
    return [one for one in objects if one.model.key.namespace in ("", namespace)]


def _rule(image: str, builds: Sequence[Build]) -> Mapping[str, Any]:
    """The first rule that may select one of the tags; the first of all where nothing is built here."""
    tags = [tag_of(build.reference, image) for build in builds]
    for rule in RULES:
        spec = {"imageRepositoryRef": {"name": "image"}, **rule}
        model = ImagePolicy.from_object(
            {"apiVersion": f"{GROUP}/v1", "kind": "ImagePolicy", "metadata": {"name": "policy"}, "spec": spec}
        )
        if any(may_select(model, None, tag).may for tag in tags):
            return rule
    return RULES[0]


def _repository(found: Survey, name: str, namespace: str, image: str) -> str:
    version = found.version("ImageRepository", GROUP)
    return fill(IMAGE_REPOSITORY, version=version, name=name, namespace=namespace, image=image)


def _policy(
    found: Survey, name: str, namespace: str, repository: str, rule: Mapping[str, Any], labels: Mapping[str, str]
) -> str:
    metadata = f"\n{block({'labels': dict(labels)}, 2)}".rstrip("\n") if labels else ""
    version = found.version("ImagePolicy", GROUP)
    return fill(
        IMAGE_POLICY, version=version, name=name, namespace=namespace, labels=metadata, repository=repository,
        rule=block(rule, 2),
    )  # fmt: skip
