"""A cluster's tags, listed by the command itself: its controllers keep theirs to themselves."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.base.errors import Denied
from tidegate.base.regexp.matcher import any_of
from tidegate.cli.registry_logins import own_logins
from tidegate.engine.file_tags import checksum
from tidegate.engine.ports import Store, TagsLost
from tidegate.kinds.common import mapping
from tidegate.kinds.image_repository import ImageRepository, tags_name
from tidegate.kinds.objects import Object
from tidegate.kinds.reference import Repository, parse_repository
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access
from tidegate.oci.pull_secrets import image_access


class TagsNow:
    """What a controller takes for the tags of the last scan, and a registry's list of them, which is asked for once.
    `say` gets lines for people.
    """

    def __init__(self, store: Store, registry: RegistryClient, say: Callable[[str], None]):
        self._store = store
        self._registry = registry
        self._say = say
        self._found: dict[Repository, list[str]] = {}
        self._kept: dict[str, list[str]] = {}

    async def load(self, found: Object) -> None:
        """List the tags of an ImageRepository, with its own credentials where they may be read."""
        scanned = ImageRepository.from_object(found)
        repository = parse_repository(scanned.image)
        tags = await self._registry.using(await self._access(scanned)).tags(repository)
        excludes = any_of(scanned.exclusion_list, field="spec.exclusionList").test()
        kept = [tag for tag in tags if not excludes(tag)]
        status = mapping(found.get("status"))
        name = tags_name(str(repository), status.get("observedExclusionList") or (), scanned.view)
        self._found[repository], self._kept[name] = tags, kept
        revision = mapping(status.get("lastScanResult")).get("revision")
        if revision is not None and revision != checksum(kept):
            self._say("the registry's tags have changed since the last scan; this is of those that it has now")

    async def _access(self, scanned: ImageRepository) -> Access:
        try:
            return await image_access(self._store, scanned)
        except Denied as error:
            self._say(f"asking the registry with your own logins, since: {error}")
            return Access(own_logins(), scanned.insecure)

    def using(self, access: Access) -> TagsNow:
        """Itself: the access is that of `load`."""
        return self

    async def tags(self, repository: Repository) -> list[str]:
        """All tags, as they were listed."""
        return self._found.get(repository, [])

    async def get(self, repository: str) -> list[str]:
        """Those that the exclusion list leaves; TagsLost where they were not listed."""
        if repository not in self._kept:
            raise TagsLost(f"no tags of {repository} were listed")
        return self._kept[repository]
