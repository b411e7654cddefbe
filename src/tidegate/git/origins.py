"""Where a source's commits come from and go back to: a repository hosted here, else a remote through its mirror.

Controllers name a URL and never know which it is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tidegate.base.errors import Conflict, NotFound
from tidegate.git.mirror import Mirrors
from tidegate.git.names import branch_ref
from tidegate.git.quick_refs import QuickRefs
from tidegate.git.remote import Credentials, Remote, ls_remote
from tidegate.git.repository import Repository
from tidegate.git.sharing import Shared

NETWORK_TIMEOUT = 60.0
FRESH_SECONDS = 30.0
OWN_KEPT = 500
QUICK_SHARE = 0.3
"""The part of the time in which the quick question has to be answered; git gets the rest."""


class Origins:
    """`hosted` maps a URL to a repository of this Tidegate, or None; `moved` hears of a ref that was moved in one."""

    def __init__(
        self,
        mirrors: Mirrors,
        hosted: Callable[[str], Path | None],
        moved: Callable[[Path], Awaitable[None]],
        *,
        allow_http: bool = False,
        file_roots: tuple[Path, ...] = (),
        now: Callable[[], float] = time.monotonic,
    ):
        self._mirrors = mirrors
        self._hosted = hosted
        self._moved = moved
        self._allow_http = allow_http
        self._file_roots = file_roots
        self._now = now
        self._pushes: dict[tuple[str, str], tuple[float, str]] = {}
        self._own: deque[tuple[str, str, str]] = deque(maxlen=OWN_KEPT)
        self._looked: dict[tuple[str, str], float] = {}
        self._quick = QuickRefs()
        self._reads: Shared[tuple[str, str, Credentials | None, str | None, bool], tuple[Repository, str]] = Shared()

    def is_hosted(self, url: str) -> bool:
        """Whether the URL names a repository of this Tidegate."""
        return self._hosted(url) is not None

    async def refs(
        self, url: str, prefix: str, *, credentials: Credentials | None = None, timeout: float = NETWORK_TIMEOUT
    ) -> dict[str, str]:
        """The refs below a prefix, with their commits."""
        if path := self._hosted(url):
            return await self._existing(path, url).refs(prefix)
        listed = await ls_remote(self._remote(url, credentials), timeout=timeout)
        return {name: commit for name, commit in listed.items() if name.startswith(prefix)}

    async def read(
        self,
        url: str,
        ref: str,
        *,
        credentials: Credentials | None = None,
        listed: str | None = None,
        again: bool = False,
        timeout: float = NETWORK_TIMEOUT,
    ) -> tuple[Repository, str]:
        """A repository that holds the commit at a full ref (or an object id), and that commit. Nothing is fetched
        where the mirror has it, but `again`: a tag may have been signed since, and name the same commit. `listed` is
        the commit that `refs` has just told for the ref: the remote is not asked again. NotFound where there is no
        such ref.
        """
        if path := self._hosted(url):
            repository = self._existing(path, url)
            commit = await repository.resolve(ref)
            if commit is None:
                raise _no_ref(url, ref)
            return repository, commit
        return await self._reads.call(
            (url, ref, credentials, listed, again),
            lambda: self._refreshed(url, ref, credentials, listed, timeout, again=again),
        )

    async def _refreshed(
        self, url: str, ref: str, credentials: Credentials | None, known: str | None, timeout: float, *, again: bool
    ) -> tuple[Repository, str]:
        remote = self._remote(url, credentials)
        repository = await self._mirrors.open(remote)
        wanted = known or ref
        if known is None and ref.startswith("refs/"):
            listed = await self._listed(remote, ref, timeout)
            if ref not in listed:
                raise _no_ref(url, ref)
            wanted = listed[ref]
        if await repository.resolve(wanted) is None or ref.startswith("refs/"):
            present = await repository.resolve(ref)
            if present != wanted or again:
                repository = await self._mirrors.fetch(remote, [ref], timeout=timeout)
        commit = await repository.resolve(ref)
        if commit is None:
            raise _no_ref(url, ref)
        self._looked[url, ref] = self._now()
        return repository, commit

    async def read_commit(
        self, url: str, commit: str, *, credentials: Credentials | None = None, timeout: float = NETWORK_TIMEOUT
    ) -> tuple[Repository, str]:
        """As `read` for an object id; a remote that gives out no single commits is read with all its branches and tags.
        NotFound where it has no such commit.
        """
        try:
            return await self.read(url, commit, credentials=credentials, timeout=timeout)
        except Conflict:
            repository = await self._mirrors.fetch(self._remote(url, credentials), timeout=timeout)
        if await repository.resolve(commit) is None:
            raise _no_ref(url, commit)
        return repository, commit

    async def _listed(self, remote: Remote, ref: str, timeout: float) -> dict[str, str]:
        """Where a remote's ref is, if anywhere: by one request where that is enough, else by git."""
        began = self._now()
        found = await self._quick.ask(remote, [ref], timeout=timeout * QUICK_SHARE)
        if found is not None:
            return found
        return await ls_remote(remote, [ref], timeout=max(1.0, timeout - (self._now() - began)))

    async def last_seen(self, url: str, ref: str) -> tuple[Repository, str] | None:
        """Where a remote's ref was when this process last read or pushed it, without asking; None where it never did.

        Good for a push that compares, whose answer is newer than any question before it.
        """
        if self.is_hosted(url):
            return None
        repository = Repository(self._mirrors.path(url))
        commit = await repository.resolve(ref) if repository.exists() else None
        return None if commit is None else (repository, commit)

    def just_pushed(self, url: str, ref: str) -> tuple[Repository, str] | None:
        """Where this process's own push left a remote's ref within the last FRESH_SECONDS, unless it was read since,
        which says more. Others may have pushed since: it is news for who was woken by that push, and no answer to who
        asks what is there now.
        """
        began, commit = self._pushes.get((url, ref), (0.0, ""))
        if not commit or self._now() - began > FRESH_SECONDS or self._looked.get((url, ref), began - 1.0) >= began:
            return None
        return Repository(self._mirrors.path(url)), commit

    def is_own(self, url: str, ref: str, commit: str) -> bool:
        """Whether this process has pushed that commit to that ref not long ago."""
        return (url, ref, commit) in self._own

    async def push(
        self,
        url: str,
        repository: Repository,
        commit: str,
        branch: str,
        expected: str | None,
        *,
        credentials: Credentials | None = None,
        owned: bool = False,
        options: Sequence[str] = (),
        timeout: float = NETWORK_TIMEOUT,
    ) -> None:
        """Move a branch from `expected`, where it must still be, to a commit; Conflict where it is not. The commit is
        built on `expected`, unless the branch is `owned` by the caller.
        """
        self._own.append((url, branch_ref(branch), commit))  # before anybody can see it there
        if path := self._hosted(url):
            await repository.update_ref(branch_ref(branch), commit, expected)
            await self._moved(path)
            return
        remote = self._remote(url, credentials)
        began = self._now()
        await self._mirrors.push(
            repository, remote, commit, branch, expected, owned=owned, options=options, timeout=timeout
        )
        self._pushes[url, branch_ref(branch)] = (began, commit)

    async def push_to(
        self,
        url: str,
        repository: Repository,
        commit: str,
        ref: str,
        *,
        credentials: Credentials | None = None,
        options: Sequence[str] = (),
        timeout: float = NETWORK_TIMEOUT,
    ) -> None:
        """Push a commit to any ref, never forced; Conflict where it is not built on what is there."""
        self._own.append((url, ref, commit))
        if path := self._hosted(url):
            present = await repository.resolve(ref)
            if present is not None and not await repository.is_ancestor(present, commit):
                raise Conflict(f"{ref} of {url} has commits that {commit[:12]} is not built on")
            await repository.update_ref(ref, commit, present)
            await self._moved(path)
            return
        remote = self._remote(url, credentials)
        await self._mirrors.push_to(repository, remote, commit, ref, options=options, timeout=timeout)

    def _existing(self, path: Path, url: str) -> Repository:
        repository = Repository(path)
        if not repository.exists():
            raise NotFound(f"{url} is to be hosted here, but nothing was pushed yet", remedy="git push to it")
        return repository

    def _remote(self, url: str, credentials: Credentials | None) -> Remote:
        return Remote(url, credentials, allow_http=self._allow_http, file_roots=self._file_roots)


def _no_ref(url: str, ref: str) -> NotFound:
    return NotFound(f"{url} has no {ref}", remedy="look at spec.ref, or push that branch or tag first")
