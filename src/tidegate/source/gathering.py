"""Brings the submodules of a commit to this disk, those of submodules too, as far as the limits go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tidegate.base.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from tidegate.git.origins import Origins
from tidegate.git.remote import Credentials
from tidegate.git.repository import Repository
from tidegate.git.submodules import MODULES_FILE, Module, credentials_shown, modules_of, url_of
from tidegate.source.recipe import Submodule

DEPTH_LIMIT = 10
"""How deep submodules may lie in each other; Flux's limit."""
COUNT_LIMIT = 100


class Gathering:
    """The submodules of one commit of the source at `url`, reached with its credential where the host is the same."""

    def __init__(self, origins: Origins, url: str, credentials: Credentials | None, timeout: float):
        self._origins = origins
        self._url = url
        self._credentials = credentials
        self._timeout = timeout
        self._found: list[Submodule] = []

    async def of(self, repository: Repository, commit: str) -> tuple[Submodule, ...]:
        """Every one, with its path from the root. InvalidInput for a `.gitmodules` that can't be followed,
        LimitExceeded, and what a remote raises.
        """
        self._found = []
        await self._gather(repository, commit, self._url, "", 0)
        return tuple(self._found)

    async def _gather(self, repository: Repository, commit: str, url: str, prefix: str, depth: int) -> None:
        links, blob = await asyncio.to_thread(_links, repository, commit)
        if not links:
            return
        if depth == DEPTH_LIMIT:
            raise LimitExceeded(f"the submodules below {prefix} lie more than {DEPTH_LIMIT} deep in each other")
        modules = {module.path: module for module in (await modules_of(repository, blob) if blob else [])}
        for path, pinned in sorted(links.items()):
            if path not in modules:
                raise InvalidInput(f"{prefix}{MODULES_FILE} names no URL for the submodule at {path!r}")
            if len(self._found) == COUNT_LIMIT:
                raise LimitExceeded(f"a source may have at most {COUNT_LIMIT} submodules")
            below = url_of(modules[path], url)
            other = await self._fetched(modules[path], below, pinned)
            self._found.append(Submodule(f"{prefix}{path}", str(other.path), pinned))
            await self._gather(other, pinned, below, f"{prefix}{path}/", depth + 1)

    async def _fetched(self, module: Module, url: str, commit: str) -> Repository:
        credentials = credentials_shown(url, self._url, self._credentials)
        try:
            return (await self._origins.read_commit(url, commit, credentials=credentials, timeout=self._timeout))[0]
        except (InvalidInput, NotFound, Conflict) as error:
            kind = NotFound if isinstance(error, Conflict) else type(error)
            raise kind(f"the submodule {module.name!r}: {error.message}", remedy=error.remedy) from None


def _links(repository: Repository, commit: str) -> tuple[Mapping[str, str], str | None]:
    """The submodules of a commit, and the blob of its `.gitmodules`, which counts only as a regular file."""
    with repository.files(commit) as files:
        links = files.submodules()
        return links, files.blobs().get(MODULES_FILE) if links else None
