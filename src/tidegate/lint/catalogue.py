"""Which objects of a repository a reference may mean, and which policies may select an image; found once, then kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Generic, TypeVar

from tidegate.base.frozen import frozen
from tidegate.kinds.common import Model
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import ObjectKey
from tidegate.lint.building import Build
from tidegate.lint.holes import ANY, is_known, may_be
from tidegate.lint.repository import Found, Repository
from tidegate.lint.selecting import Answer, manifest_text, may_be_image, may_select, tag_of

M_co = TypeVar("M_co", bound=Model, covariant=True)


@frozen
class Selected:
    """A build's image that a policy may select: by which ImageRepository (None where that is not here)."""

    build: Build
    image: Found[ImageRepository] | None
    policy: Found[ImagePolicy]


class Index(Generic[M_co]):
    """Objects by name. A namespace that is not written, and what holds a variable, may be anything."""

    def __init__(self, objects: Iterable[Found[M_co]], moved: Collection[str] = ()):
        """`moved` are namespaces that objects may be put into, whatever they say."""
        self._moved = moved
        self._exact: dict[str, list[Found[M_co]]] = {}
        self._open: list[Found[M_co]] = []
        self._known: dict[tuple[str, str], list[Found[M_co]]] = {}
        for found in objects:
            name = manifest_text(found.model.key.name)
            (self._exact.setdefault(name, []) if is_known(name) else self._open).append(found)

    def named(self, namespace: str, name: str) -> list[Found[M_co]]:
        """The objects that a reference may mean."""
        if (namespace, name) not in self._known:
            self._known[namespace, name] = self._named(namespace, name)
        return self._known[namespace, name]

    def _named(self, namespace: str, name: str) -> list[Found[M_co]]:
        wanted = manifest_text(name)
        if is_known(wanted):
            candidates = [*self._exact.get(wanted, ()), *self._open]
        else:
            candidates = [*(found for several in self._exact.values() for found in several), *self._open]
        reference = ObjectKey("", "", "" if namespace in self._moved else namespace, name)
        return [found for found in candidates if names(reference, found.model.key)]


def names(reference: ObjectKey, key: ObjectKey) -> bool:
    """Whether a reference may mean an object: a namespace that is not written, and variables, may be anything."""
    if not may_be(manifest_text(reference.name), manifest_text(key.name)):
        return False
    if not reference.namespace or not key.namespace:
        return True
    return may_be(manifest_text(reference.namespace), manifest_text(key.namespace))


class Catalogue:
    """The objects of one repository."""

    def __init__(self, repository: Repository):
        self.policies = Index(repository.policies, repository.namespaces)
        self.sources = Index(repository.sources, repository.namespaces)
        self._images = Index(repository.images, repository.namespaces)
        self.moved = repository.namespaces
        self._scanned = [(policy, self._scanned_by(policy)) for policy in repository.policies]
        self._by_policy = {id(policy): images for policy, images in self._scanned}
        self._selected: dict[Build, list[Selected]] = {}

    def scanned_by(self, policy: Found[ImagePolicy]) -> Sequence[Found[ImageRepository]]:
        """The ImageRepositories that a policy may mean."""
        return self._by_policy[id(policy)]

    def _scanned_by(self, policy: Found[ImagePolicy]) -> list[Found[ImageRepository]]:
        spec = policy.model
        return self._images.named(spec.repository_namespace or spec.key.namespace, spec.repository_name)

    def selected(self, build: Build) -> list[Selected]:
        """The policies that may select what a build pushes."""
        if build not in self._selected:
            answers = (self._by(build, policy, images) for policy, images in self._scanned)
            self._selected[build] = [answer for answer in answers if answer is not None]
        return self._selected[build]

    def _by(
        self, build: Build, policy: Found[ImagePolicy], images: Sequence[Found[ImageRepository]]
    ) -> Selected | None:
        if not images:
            return Selected(build, None, policy) if chance(build, None, policy).may else None
        for image in images:
            if may_be_image(build.reference, image.model.image) and chance(build, image, policy).may:
                return Selected(build, image, policy)
        return None


def chance(build: Build, image: Found[ImageRepository] | None, policy: Found[ImagePolicy]) -> Answer:
    """Whether a policy may select a build's tag."""
    tag = tag_of(build.reference, image.model.image) if image is not None else ANY
    return may_select(policy.model, image.model if image is not None else None, tag)
