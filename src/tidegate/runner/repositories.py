"""Where a Runner's repository is: hosted by this Tidegate, or the mirror of the GitRepository that it names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from tidegate.base.errors import NotFound
from tidegate.engine.ports import Store
from tidegate.git.mirror import Mirrors
from tidegate.git.repository import Repository
from tidegate.kinds.common import GitReference
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.runner import KIND as RUNNER_KIND
from tidegate.kinds.runner import Runner
from tidegate.kinds.workflow_run import GROUP
from tidegate.runner.names import of_repository

Repositories = Callable[[Runner], Awaitable[Repository | None]]
"""Opens a Runner's repository; None where nothing of it is here yet."""
Fetch = Callable[[Object], Awaitable[Repository]]
"""Brings what a GitRepository names, and opens its mirror."""
_SOURCE = ("source.toolkit.fluxcd.io", "GitRepository")


def hosted(open_named: Callable[[str], Repository | None]) -> Repositories:
    """Repositories that are hosted here, by `OWNER/NAME`."""

    async def find(runner: Runner) -> Repository | None:
        return open_named(runner.repository)

    return find


def mirrored(store: Store, mirrors: Mirrors, fetch: Fetch) -> Repositories:
    """The mirrors of sources: the one that `spec.sourceRef` names, else the one whose URL ends in `OWNER/NAME`.

    A mirror holds the branch or tag that its GitRepository follows, so its Runner sees pushes to that alone. What the
    source's status names and this disk has not, after a restart or in a process without the source controller, is
    fetched first: a mirror that is still empty would look as if every branch had been deleted, and then come anew.
    Of a source with `spec.verify` only what was verified is shown: the mirror itself holds what was fetched to look at.
    """

    async def find(runner: Runner) -> Repository | None:
        source = await source_of(store, runner)
        if source is None or (commit := _commit_of(source)) is None:
            return None
        spec = GitRepository.from_object(source)
        repository = Repository(mirrors.path(spec.url))
        if spec.verify_mode is not None:
            here = repository.exists() and await repository.resolve(commit) is not None
            path = repository.path if here else (await fetch(source)).path
            return VerifiedRepository(path, _ref_of(source, spec.ref), commit)
        if repository.exists() and commit in (await repository.refs()).values():
            return repository
        return await fetch(source)

    return find


class FollowedRepositories:
    """Repositories that are hosted here, else the mirror of a source: what of the latter was opened is found by name,
    as the jobs of a run ask for it.
    """

    def __init__(self, open_named: Callable[[str], Repository | None], followed: Repositories):
        self._open_named = open_named
        self._followed = followed
        self._opened: dict[str, Repository] = {}

    async def find(self, runner: Runner) -> Repository | None:
        """A Runner's repository."""
        if (found := self._open_named(runner.repository)) is not None:
            return found
        followed = await self._followed(runner)
        if followed is not None:
            self._opened[runner.repository.lower()] = followed
        return followed

    def open(self, name: str) -> Repository | None:
        """A repository by `OWNER/NAME`, as far as it was found."""
        return self._open_named(name) or self._opened.get(name.lower())


class VerifiedRepository(Repository):
    """A mirror in which there seems to be one ref, at the commit that was verified."""

    def __init__(self, path: Path, ref: str, commit: str):
        super().__init__(path)
        self._shown = {ref: commit}

    async def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """The ref that is shown, where it is below the prefix."""
        return {name: commit for name, commit in self._shown.items() if name.startswith(prefix)}


def _ref_of(source: Object, ref: GitReference) -> str:
    """The full ref that a source's revision is of; none that starts anything where it follows a commit."""
    name = str(source["status"]["artifact"]["revision"]).rpartition("@")[0]
    if name.startswith("refs/") or not name:
        return name
    is_tag = (ref.name or "").startswith("refs/tags/") if ref.name else bool(ref.semver or ref.tag)
    return f"refs/tags/{name}" if is_tag else f"refs/heads/{name}"


def _commit_of(source: Object) -> str | None:
    """The commit that a GitRepository's status names; None before its first fetch."""
    artifact = (source.get("status") or {}).get("artifact") or {}
    _, colon, commit = str(artifact.get("revision") or "").rpartition("sha1:")
    return commit if colon else None


async def source_of(store: Store, runner: Runner) -> Object | None:
    """The GitRepository of a Runner; None where there is none (yet)."""
    namespace = runner.key.namespace
    if (named := runner.source_ref) is not None:
        try:
            return await store.get(ObjectKey(*_SOURCE, named.namespace or namespace, named.name))
        except NotFound:
            return None
    for source in (await store.list(*_SOURCE, namespace=namespace)).items:
        if is_url_of(str((source.get("spec") or {}).get("url", "")), runner.repository):
            return source
    return None


def is_url_of(url: str, repository: str) -> bool:
    """Whether a source's URL is one of `OWNER/NAME`."""
    return url.lower().removesuffix("/").removesuffix(".git").endswith("/" + repository.lower())


async def runner_of(store: Store, namespace: str, repository: str) -> Runner:
    """The Runner of a repository in a namespace; NotFound."""
    for obj in (await store.list(GROUP, RUNNER_KIND, namespace=namespace)).items:
        if of_repository(obj, repository):
            return Runner.from_object(obj)
    raise NotFound(f"no Runner in {namespace} is for {repository}", remedy="create one: kind Runner")
