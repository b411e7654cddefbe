"""Full bare mirrors of remotes on this disk: what is fetched once is never fetched again, and a push starts here.

Full, not blobless: reading marked files would otherwise fetch them one by one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.base.errors import CommandFailed, Conflict, Denied, InvalidInput, TidegateError
from tidegate.git import command
from tidegate.git.command import TOLERATED_FSCK
from tidegate.git.names import branch_ref, check_object_id, check_ref, is_object_id
from tidegate.git.quick_push import QuickPushes
from tidegate.git.remote import Remote, access, explain, fetching, pushing
from tidegate.git.repository import Repository
from tidegate.git.words import plain, said_by_remote, without_secrets

ALL_REFS = ("refs/heads/*", "refs/tags/*")
_OPTION = re.compile(r"[^\x00-\x1f\x7f]{1,1024}")
# A push that lost against somebody else's; anything else that is rejected was refused on purpose.
_LOST = (
    "stale info",
    "fetch first",
    "non-fast-forward",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old value",
)


def fetch_argv(
    git_dir: Path, url: str, refs: Sequence[str], protocols: Iterable[str], config: Iterable[str]
) -> list[str]:
    """Fetch refs under their own names (a full object id under none); all branches and tags, and drop those that are
    gone, where none is named.
    """
    wanted = [ref if is_object_id(ref) else f"+{check_ref(ref)}:{ref}" for ref in refs]
    prune = [] if wanted else ["--prune"]
    settings = [*config, "fetch.fsckObjects=true", *(f"fetch.fsck.{name}=ignore" for name in TOLERATED_FSCK)]
    return command.argv(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", *prune,
        *fetching(url), "--end-of-options", url,
        *(wanted or [f"+{ref}:{ref}" for ref in ALL_REFS]), git_dir=git_dir, protocols=protocols, config=settings,
    )  # fmt: skip


def push_argv(
    git_dir: Path,
    url: str,
    commit: str,
    ref: str,
    expected: str | None,
    *,
    leased: bool = True,
    options: Sequence[str] = (),
    protocols: Iterable[str] = (),
    config: Iterable[str] = (),
) -> list[str]:
    """Push a commit to a ref that must be at `expected` on the remote (None: must not be there). Where it is not
    `leased`, nothing is expected, and the remote takes only what is built on what it has.

    The lease only compares: whether what is there may be replaced is for the caller to know.
    """
    lease = [f"--force-with-lease={check_ref(ref)}:{check_object_id(expected) if expected else ''}"] if leased else []
    given = [f"--push-option={_check_option(option)}" for option in options]
    return command.argv(
        "push", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no", *lease, *given,
        *pushing(url), "--end-of-options", url, f"{check_object_id(commit)}:{ref}",
        git_dir=git_dir, protocols=protocols, config=config,
    )  # fmt: skip


def _check_option(option: str) -> str:
    if not _OPTION.fullmatch(option):
        raise InvalidInput(f"{option!r} is no push option")
    return option


class Mirrors:
    """The mirrors below a folder, one for each URL. Calls for one mirror run one after the other."""

    def __init__(self, root: Path):
        self._root = root
        self._locks: dict[str, asyncio.Lock] = {}
        self._ready: set[str] = set()
        self._quick = QuickPushes()

    def path(self, url: str) -> Path:
        """Where a URL's mirror is: a name for people, then a digest of the whole URL."""
        last = re.sub(r"[^A-Za-z0-9]+", "-", urlsplit(url).path.rpartition("/")[2].removesuffix(".git")).strip("-")
        digest = hashlib.sha256(url.encode()).hexdigest()[:24]
        return self._root / (f"{last[:40]}-{digest}.git" if last else f"{digest}.git")

    async def open(self, remote: Remote) -> Repository:
        """The mirror as it is, without asking the remote; empty where it was never fetched."""
        _ = remote.protocol
        async with self._lock(remote.url):
            return await self._prepared(remote.url)

    async def fetch(
        self, remote: Remote, refs: Sequence[str] = (), *, timeout: float = command.NETWORK_TIMEOUT
    ) -> Repository:
        """Bring refs (full names or object ids) up to date, or all branches and tags, and return the mirror.

        Raises NotFound for a ref that the remote lacks, Denied, Unavailable.
        """
        async with self._lock(remote.url):
            repository = await self._prepared(remote.url)
            with access(remote) as way:
                argv = fetch_argv(repository.path, remote.url, refs, way.protocols, way.config)
                self._ready.discard(remote.url)  # a fetch that is killed leaves locks: recover before the next one
                try:
                    await command.run(argv, env=way.env, timeout=timeout)
                except CommandFailed as error:
                    if error.exit_code is not None:
                        self._ready.add(remote.url)
                    raise explain(without_secrets(error, remote.credentials), remote.url) from None
                self._ready.add(remote.url)
            return repository

    async def push(
        self,
        repository: Repository,
        remote: Remote,
        commit: str,
        branch: str,
        expected: str | None,
        *,
        owned: bool = False,
        options: Sequence[str] = (),
        timeout: float = command.NETWORK_TIMEOUT,
    ) -> None:
        """Push a commit to a branch that is at `expected` (None: does not exist). It must be built on `expected`,
        unless the branch is `owned` by the caller: then it takes that one's place.

        Conflict where the remote's branch moved: fetch, decide again, push again. Denied where the remote refuses.
        Afterwards the mirror's own branch is at the commit too.
        """
        ref = branch_ref(branch)
        if expected is not None and not owned and not await repository.is_ancestor(expected, commit):
            raise Conflict(f"{commit[:12]} is not built on {expected[:12]}, so pushing it would lose commits")
        if expected is None or options or not await self._quickly(repository, remote, commit, ref, expected, timeout):
            await self._by_git(repository, remote, commit, ref, expected, options, timeout)
        await self._follow(repository, ref, commit)

    async def _quickly(
        self, repository: Repository, remote: Remote, commit: str, ref: str, expected: str, timeout: float
    ) -> bool:
        """Whether it was pushed by a request of ours; raises as `push` does, where it was refused."""
        report = await self._quick.push(repository.path, remote, commit, ref, expected, timeout=timeout)
        if report is None or report.reason is None:
            return report is not None
        words = report.as_git_tells(remote.url, commit, ref)
        error = CommandFailed("the push was refused", exit_code=1, output=command.redact(words))
        raise explain_push(without_secrets(error, remote.credentials), remote.url, ref.removeprefix("refs/heads/"))

    async def _by_git(
        self,
        repository: Repository,
        remote: Remote,
        commit: str,
        ref: str,
        expected: str | None,
        options: Sequence[str],
        timeout: float,
    ) -> None:
        with access(remote) as way:
            argv = push_argv(
                repository.path, remote.url, commit, ref, expected,
                options=options, protocols=way.protocols, config=way.config,
            )  # fmt: skip
            await _pushed(argv, remote, ref.removeprefix("refs/heads/"), way.env, timeout)

    async def push_to(
        self,
        repository: Repository,
        remote: Remote,
        commit: str,
        ref: str,
        *,
        options: Sequence[str] = (),
        timeout: float = command.NETWORK_TIMEOUT,
    ) -> None:
        """Push a commit to any ref (Gerrit's `refs/for/main`) wherever it is, never forced. Raises as `push` does."""
        with access(remote) as way:
            argv = push_argv(
                repository.path, remote.url, commit, check_ref(ref), None,
                leased=False, options=options, protocols=way.protocols, config=way.config,
            )  # fmt: skip
            await _pushed(argv, remote, ref, way.env, timeout)

    async def _follow(self, repository: Repository, ref: str, commit: str) -> None:
        try:
            await repository.update_ref(ref, commit, await repository.resolve(ref))
        except Conflict:
            return  # a fetch has just brought something newer

    async def _prepared(self, url: str) -> Repository:
        repository = Repository(self.path(url))
        if url not in self._ready:
            await repository.init()
            await repository.recover()
            self._ready.add(url)
        return repository

    def _lock(self, url: str) -> asyncio.Lock:
        return self._locks.setdefault(url, asyncio.Lock())


async def _pushed(argv: Sequence[str], remote: Remote, name: str, env: Mapping[str, str], timeout: float) -> None:
    try:
        await command.run(argv, env=env, timeout=timeout)
    except CommandFailed as error:
        raise explain_push(without_secrets(error, remote.credentials), remote.url, name) from None


def explain_push(error: CommandFailed, url: str, branch: str) -> TidegateError:
    """What a failed push means: Conflict where the branch moved, Denied where it was refused, else as any call."""
    words = error.output
    if "rejected]" not in words:
        return explain(error, url)
    reason = plain(next((line for line in words.splitlines() if "rejected]" in line), ""))
    if "[remote rejected]" not in reason or any(word in reason for word in _LOST[3:]):
        return Conflict(f"somebody pushed to {branch} of {url} first: {reason}")
    said = said_by_remote(words)
    return Denied(
        f"{url} refuses the push to {branch}: {reason}{f' ({said})' if said else ''}",
        remedy=f"allow this credential to push to {branch}, or set spec.git.push.branch to another one",
    )
