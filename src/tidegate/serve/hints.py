"""Turns what a door took in (a push, a tag) into wake-ups of the objects that it concerns. They only hint."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import parse_repository
from tidegate.serve.bootstrap import NAMESPACE, runner_name

SOURCE = ("source.toolkit.fluxcd.io", "GitRepository")
IMAGE = ("image.toolkit.fluxcd.io", "ImageRepository")
AUTOMATION = ("image.toolkit.fluxcd.io", "ImageUpdateAutomation")


class Hints:
    """`hint` wakes an object, `hosted` maps a URL to a repository of this machine, `registries` are the hosts that the
    embedded registry answers for.
    """

    def __init__(
        self,
        store: Store,
        hint: Callable[[ObjectKey], None],
        hosted: Callable[[str], Path | None],
        registries: Collection[str],
    ):
        self._store = store
        self._hint = hint
        self._hosted = hosted
        self._registries = frozenset(registries)

    async def pushed(self, repository: Path) -> None:
        """A ref of a hosted repository moved: wake its Runner and the sources that follow it."""
        owner, name = repository.parent.name, repository.name.removesuffix(".git")
        self._hint(ObjectKey("tidegate.dev", "Runner", NAMESPACE, runner_name(owner, name)))
        for source in (await self._store.list(*SOURCE)).items:
            if self._hosted(str((source.get("spec") or {}).get("url", ""))) == repository:
                self._hint(key_of(source))

    async def tagged(self, repository: str, _tag: str, _digest: str) -> None:
        """A tag was set in the embedded registry: wake the ImageRepositories of that image."""
        for image in (await self._store.list(*IMAGE)).items:
            if self._names(image, repository):
                self._hint(key_of(image))

    def _names(self, image: Object, repository: str) -> bool:
        try:
            found = parse_repository(str((image.get("spec") or {}).get("image", "")))
        except InvalidInput:
            return False
        return found.path == repository and found.registry in self._registries
