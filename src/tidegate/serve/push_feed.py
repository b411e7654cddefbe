"""The way back of a push: lines for the pusher, from the run to the answer's URL.

It only tells what the objects say; nothing depends on it, and it ends when nobody can wait any longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from tidegate.base.errors import AlreadyExists, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach
from tidegate.engine.ports import Store
from tidegate.engine.view import Objects
from tidegate.git.command import redact
from tidegate.git.repository import Repository
from tidegate.kinds.common import mapping
from tidegate.kinds.not_deployed import NOT_DEPLOYED
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.runner.feed import Progress, PushKey, RunFeed
from tidegate.runner.pushes import REF_KINDS
from tidegate.serve.bootstrap import NAMESPACE, ROOT, Bootstrap, bootstrap, names_root_source, runner_name
from tidegate.serve.git import Push, Update
from tidegate.serve.git_repositories import HostedRepositories
from tidegate.serve.merged import merged
from tidegate.serve.way_back import is_source, way_back

BRANCHES = "refs/heads/"
MANAGER = "tidegate"


@frozen
class Wiring:
    """What the feed needs of the process: `source_url` is how manifests name a hosted repository, `pushed` wakes what
    follows it, `lint` gives the lines of what is wrong with a repository's commit, `path` is the folder to deploy where
    the user named one.
    """

    store: Store
    feed: RunFeed
    repositories: HostedRepositories
    source_url: Callable[[str, str], str]
    pushed: Callable[[Path], Awaitable[None]]
    lint: Callable[[Path, str], Awaitable[Sequence[str]]]
    path: str | None = None


class PushFeed:
    """Makes the lines that a pusher sees as `remote:`."""

    def __init__(self, wiring: Wiring):
        self._wiring = wiring
        self._bootstrapping = asyncio.Lock()

    async def lines(self, push: Push) -> AsyncIterator[str]:
        """Set up what a first push needs, wake who must know, and tell the way of each branch that was pushed."""
        branches = [update for update in push.updates if update.ref.startswith(BRANCHES) and update.new]
        for line in await self._bootstrap(push.owner, push.name):
            yield line
        runner = ObjectKey("tidegate.dev", "Runner", NAMESPACE, runner_name(push.owner, push.name))
        keys = await self._keys(push) if await self._exists(runner) else []
        runs = [self._wiring.feed.push(key) for key in keys]
        path = self._wiring.repositories.path(push.owner, push.name)
        await self._wiring.pushed(path)
        put_off = False
        async for entry in merged(_one_after_another(runs), self._linted(path, branches)):
            put_off = put_off or (not entry.run and entry.level == "error")
            yield entry.text
        for update in () if put_off else branches:
            async for line in self._rest(push, update.ref, str(update.new)):
                yield line

    async def _linted(self, repository: Path, branches: Sequence[Update]) -> AsyncIterator[Progress]:
        for commit in dict.fromkeys(str(update.new) for update in branches):
            for line in await self._wiring.lint(repository, commit):
                yield Progress("", line, level="warning")

    async def _keys(self, push: Push) -> list[PushKey]:
        """What the Runner is going to handle: branches and tags, an annotated one by the commit behind it."""
        repository = self._wiring.repositories.get(push.owner, push.name)
        keys = []
        for update in push.updates:
            if repository is None or update.new is None or not update.ref.startswith(REF_KINDS):
                continue
            commit = update.new if update.ref.startswith(BRANCHES) else await repository.resolve(update.new)
            keys.append(PushKey(f"{push.owner}/{push.name}", update.ref, commit or update.new))
        return keys

    async def recover(self) -> None:
        """Before the doors open: set up what was pushed first to a server that was killed before it could."""
        for owner, name in self._wiring.repositories.list():
            await self._bootstrap(owner, name)
            await self._deploy_named(owner, name)

    async def _bootstrap(self, owner: str, name: str) -> Sequence[str]:
        """After the first push of a branch, create the Runner and what deploys the repository."""
        repository = self._wiring.repositories.get(owner, name)
        if repository is None or not self._wiring.repositories.is_new(owner, name):
            return ()
        head = await repository.head()
        commit = await repository.resolve(head) if head else None
        if head is None or commit is None:
            return ()
        lines: Sequence[str] = ()
        async with self._bootstrapping:  # of two first pushes at once, one has the root's name
            if not await self._exists(ObjectKey("tidegate.dev", "Runner", NAMESPACE, runner_name(owner, name))):
                lines = await self._create(owner, name, repository, head.removeprefix(BRANCHES), commit)
                reach(Step.BOOTSTRAPPED)
        self._wiring.repositories.set_up(owner, name)
        return lines

    async def _create(self, owner: str, name: str, repository: Repository, branch: str, commit: str) -> list[str]:
        made = await self._decided(owner, name, repository, branch, commit)
        lines = list(made.lines)
        for obj in reversed(made.objects):  # the Runner last: it says that the rest is there
            try:
                await self._wiring.store.create(obj, manager=MANAGER)
            except AlreadyExists:
                lines.append(f"{key_of(obj)} is there already, and stays as it is")
        return lines

    async def _deploy_named(self, owner: str, name: str) -> None:
        """With --path: deploy that folder of a repository of which nothing is deployed since its first push."""
        repository, path = self._wiring.repositories.get(owner, name), self._wiring.path
        runner = ObjectKey("tidegate.dev", "Runner", NAMESPACE, runner_name(owner, name))
        if repository is None or path is None or not await self._exists(runner):
            return
        head = await repository.head()
        commit = await repository.resolve(head) if head else None
        if not (head and commit and annotation(await self._wiring.store.get(runner), NOT_DEPLOYED)):
            return
        made = await self._decided(owner, name, repository, head.removeprefix(BRANCHES), commit)
        if not any(key_of(obj).kind == "Kustomization" for obj in made.objects):
            return
        for obj in made.objects[1:]:
            await self._wiring.store.apply(obj, manager=MANAGER, force=True)
        await self._wiring.store.patch(runner, {"metadata": {"annotations": {NOT_DEPLOYED: None}}}, manager=MANAGER)

    async def _decided(self, owner: str, name: str, repository: Repository, branch: str, commit: str) -> Bootstrap:
        url = self._wiring.source_url(owner, name)
        taken_by = await self._root_of_another(owner, name, url)

        def decided() -> Bootstrap:
            with repository.files(commit) as files:
                return bootstrap(
                    owner,
                    name,
                    url=url,
                    branch=branch,
                    paths=list(files.paths()),
                    path=self._wiring.path,
                    taken_by=taken_by,
                    names_root=lambda: names_root_source(files),
                )

        return await asyncio.to_thread(decided)

    async def _root_of_another(self, owner: str, name: str, url: str) -> str | None:
        """The URL of the source that has the root's name, where it is another repository's."""
        try:
            root = await self._wiring.store.get(ObjectKey("source.toolkit.fluxcd.io", "GitRepository", NAMESPACE, ROOT))
        except NotFound:
            return None
        present = str(mapping(root.get("spec")).get("url", ""))
        own = self._wiring.repositories.path(owner, name)
        return None if present == url or self._wiring.repositories.by_url(present) == own else redact(present)

    async def _exists(self, key: ObjectKey) -> bool:
        try:
            await self._wiring.store.get(key)
        except NotFound:
            return False
        return True

    async def _rest(self, push: Push, ref: str, commit: str) -> AsyncIterator[str]:
        """After the runs of a commit."""
        path = self._wiring.repositories.path(push.owner, push.name)
        lines = way_back(
            self._wiring.store,
            commit,
            is_deployed=lambda objects: self._is_deployed(objects, path, ref),
            is_on_top=lambda committed: self._is_on_top(push, commit, committed),
        )
        async for line in lines:
            yield line

    def _is_deployed(self, objects: Objects, repository: Path, ref: str) -> bool:
        """Whether a Kustomization takes its files from that branch."""
        sources = [
            source
            for source in objects["GitRepository"]
            if follows(source, ref) and self._wiring.repositories.by_url(str(source["spec"].get("url"))) == repository
        ]
        return any(
            is_source(one, source)
            for one in objects["Kustomization"]
            for source in sources
            if mapping(one.get("spec")).get("suspend") is not True
        )

    async def _is_on_top(self, push: Push, commit: str, committed: str) -> bool:
        """Whether a commit of an automation was made after the pushed one, and not long before."""
        repository = self._wiring.repositories.get(push.owner, push.name)
        try:
            return repository is None or await repository.is_ancestor(commit, committed)
        except NotFound:
            return True  # the automation writes to another repository, of which nothing is known here


async def _one_after_another(runs: Sequence[AsyncIterator[Progress]]) -> AsyncIterator[Progress]:
    for told in runs:
        async for entry in told:
            yield entry


def follows(source: Object, ref: str) -> bool:
    """Whether a GitRepository is at the tip of a branch, given as a full ref; Flux's default is master."""
    wanted = mapping(mapping(source.get("spec")).get("ref"))
    if wanted.get("commit"):
        return False
    if name := wanted.get("name"):
        return ref == str(name)
    if wanted.get("semver") or wanted.get("tag"):
        return False
    return ref == f"{BRANCHES}{wanted.get('branch') or 'master'}"
