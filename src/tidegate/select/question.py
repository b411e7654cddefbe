"""Everything that a choice is made of."""

from __future__ import annotations

from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.common import mapping
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import Object
from tidegate.kinds.reference import Repository, parse_repository
from tidegate.select.annotations import Wishes
from tidegate.select.filters import TagFilter
from tidegate.select.latest import ImageRef
from tidegate.select.policy import Policy


@frozen
class Question:
    """Everything that a decision is made of: the policy's object and its spec, the image that is scanned and its
    object, how to order, the tags of the last good scan, in descending order as Flux stores them, and what the policy's
    annotations ask for.
    """

    obj: Object
    spec: ImagePolicy
    scanned: ImageRepository
    repository: Object
    policy: Policy
    tag_filter: TagFilter | None
    tags: list[str]
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def image(self) -> Repository:
        """The image that is scanned, canonical."""
        return parse_repository(self.scanned.image)

    @property
    def present(self) -> ImageRef | None:
        """What is selected now; None where that is another image's."""
        found = ImageRef.read(mapping(self.obj.get("status")).get("latestRef"))
        return found if found is not None and found.name == self.scanned.image else None
