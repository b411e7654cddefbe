"""What a scan reads off ImagePolicies: which of them use an ImageRepository, and whether they lack its tags. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.engine.ports import TagsLost
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import find
from tidegate.kinds.image_repository import GROUP
from tidegate.kinds.objects import Object, ObjectKey, key_of

POLICY = (GROUP, "ImagePolicy")


def refers(policy: Object, repository: ObjectKey) -> bool:
    """Whether a policy selects from the tags of this ImageRepository."""
    reference = mapping(mapping(policy.get("spec")).get("imageRepositoryRef"))
    namespace = reference.get("namespace") or key_of(policy).namespace
    return (namespace, reference.get("name")) == (repository.namespace, repository.name)


def has_lost_tags(policy: Object) -> bool:
    """Whether a policy waits because the tags of its image are not on this disk: then a scan is due now."""
    ready = find((policy.get("status") or {}).get("conditions") or [], "Ready") or {}
    return ready.get("status") == "False" and ready.get("reason") == TagsLost.code


def scanned_by(policy: Object, repositories: Sequence[Object]) -> list[ObjectKey]:
    """The ImageRepository whose scan brings the tags that a policy lacks."""
    if not has_lost_tags(policy):
        return []
    return [key for key in map(key_of, repositories) if refers(policy, key)]
