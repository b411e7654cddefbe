"""Puts a checkout's submodules in, as far as they are hosted here and the job may read them. No remote is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.git import command
from tidegate.git.repository import Repository
from tidegate.git.submodules import MODULES_FILE, Module, modules_of, url_of
from tidegate.runner.actions.action import Call

DEPTH_LIMIT = 10
COUNT_LIMIT = 100
DETACHED = "refs/tidegate/detached"


@dataclass(slots=True)
class Submodules:
    """The submodules of one checkout; with `recursive` theirs too. `depth` is how many commits of each are brought."""

    call: Call
    depth: int
    recursive: bool
    count: int = 0

    async def put_into(self, folder: Path, repository: Repository, commit: str, name: str, level: int = 1) -> None:
        """Check out those of `commit` below `folder`, where it is checked out itself; `name` is its OWNER/NAME.

        Raises InvalidInput for a .gitmodules that can't be followed, NotFound for a repository that is not here or not
        for this job, LimitExceeded.
        """
        links, blob = await asyncio.to_thread(_links, repository, commit)
        modules = {module.path: module for module in (await modules_of(repository, blob) if blob else [])}
        for path, pinned in sorted(links.items()):
            if path not in modules:
                raise InvalidInput(f"{MODULES_FILE} of {name} names no URL for the submodule at {path!r}")
            self.count += 1
            if self.count > COUNT_LIMIT or level > DEPTH_LIMIT:
                raise LimitExceeded(f"more than {COUNT_LIMIT} submodules, or {DEPTH_LIMIT} deep in each other")
            other, found = self._hosted(modules[path], name)
            url = f"{self.call.services.server_url}/{other}"
            await self.call.bench.say(f"Submodule {path}: {other} at {pinned}")
            await found.clone_into(folder / path, pinned, DETACHED, depth=self.depth, url=url)
            setting = f"submodule.{modules[path].name}.url"  # so that git counts it as initialised
            await command.run(command.argv("config", setting, url, git_dir=folder / ".git"))
            if self.recursive:
                await self.put_into(folder / path, found, pinned, other, level + 1)

    def _hosted(self, module: Module, name: str) -> tuple[str, Repository]:
        services, where = self.call.services, self.call.where
        url = url_of(module, f"{services.server_url}/{name}")
        other = url.removeprefix(f"{services.server_url}/").removesuffix(".git")
        if other == url or other.count("/") != 1:
            raise NotFound(f"the submodule {module.name!r} is at {url}, which is not hosted here", where=where)
        own = str(self.call.bench.github["repository"])
        is_own = other.lower() == own.lower()
        if not is_own and not services.may_read(self.call.text("token"), other):
            raise NotFound(
                f"the submodule {module.name!r} is {other}, which the token of this run does not read",
                where=where,
                remedy="give a secret with a token that reads it: token: ${{ secrets.NAME }}",
            )
        found = services.repository(own if is_own else other)
        if found is None:
            raise NotFound(f"the submodule {module.name!r} is {other}, which is not hosted here", where=where)
        return other, found


def _links(repository: Repository, commit: str) -> tuple[Mapping[str, str], str | None]:
    """The submodules of a commit, and the blob of its `.gitmodules`, which counts only as a regular file."""
    with repository.files(commit) as files:
        links = files.submodules()
        return links, files.blobs().get(MODULES_FILE) if links else None
