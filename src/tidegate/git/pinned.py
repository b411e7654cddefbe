"""Single commits of remotes on this disk, without their history: what the actions and workflows of others are read
from.

One shallow bare repository for each URL, bounded in size and time; what nobody has used for long goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, Conflict, LimitExceeded, NotFound
from tidegate.git import command
from tidegate.git.command import TOLERATED_FSCK
from tidegate.git.mirror import Mirrors
from tidegate.git.names import check_object_id, check_ref, is_object_id
from tidegate.git.remote import Remote, access, explain, fetching, ls_remote
from tidegate.git.repository import Repository
from tidegate.git.words import without_secrets

MIB = 1024 * 1024
PACK_LIMIT = 256 * MIB
"""Bytes of one fetch, as they are sent."""
TREE_LIMIT = 1024 * MIB
"""Bytes of all files of a commit."""
ENTRIES_LIMIT = 100_000
KEPT_BYTES = 2048 * MIB
KEPT_SECONDS = 30 * 24 * 3600.0
FETCH_TIMEOUT = 180.0
_PINS = "refs/pins/"
_USED = "tidegate-used"


def candidates(ref: str) -> list[str]:
    """The full refs that a short name may mean, the one that counts first: tags come before branches, as for git."""
    if ref.startswith("refs/"):
        return [check_ref(ref)]
    return [check_ref(f"refs/tags/{ref}"), check_ref(f"refs/heads/{ref}")]


def chosen(ref: str, refs: Mapping[str, str]) -> tuple[str, str] | None:
    """The full ref that a short name means among some, and its commit."""
    return next(((full, refs[full]) for full in candidates(ref) if full in refs), None)


def pin_argv(
    git_dir: Path, url: str, wanted: str, commit: str, protocols: Sequence[str], config: Sequence[str]
) -> list[str]:
    """Fetch one commit alone, by its id or the full ref that names it, and keep it; prlimit(1) bounds its pack."""
    source = wanted if is_object_id(wanted) else check_ref(wanted)
    settings = [*config, "fetch.unpackLimit=1", "fetch.fsckObjects=true"]
    settings += [f"fetch.fsck.{name}=ignore" for name in TOLERATED_FSCK]
    git = command.argv(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--depth=1", *fetching(url),
        "--end-of-options", url, f"+{source}:{_PINS}{check_object_id(commit)}",
        git_dir=git_dir, protocols=protocols, config=settings,
    )  # fmt: skip
    return ["prlimit", f"--fsize={PACK_LIMIT}", "--", *git]


async def measure(repository: Repository, commit: str) -> None:
    """LimitExceeded where the files of a commit are too many, or too much."""
    argv = command.argv("ls-tree", "-r", "-l", "-z", "--full-tree", check_object_id(commit), git_dir=repository.path)
    entries = [entry for entry in (await command.run(argv)).stdout.split(b"\0") if entry]
    sizes = [entry.partition(b"\t")[0].split()[3] for entry in entries]
    size = sum(int(text) for text in sizes if text.isdigit())
    if len(entries) > ENTRIES_LIMIT or size > TREE_LIMIT:
        limits = f"{ENTRIES_LIMIT} files, {TREE_LIMIT // MIB} MiB"
        raise LimitExceeded(f"{commit[:12]} has {len(entries)} files of {size // MIB} MiB; the most are {limits}")


class PinnedCommits:
    """The repositories below `root`. `now` is the time in seconds since 1970."""

    def __init__(self, root: Path, *, now: Callable[[], float] = time.time):
        self._root = root
        self._mirrors = Mirrors(root)
        self._now = now
        self._locks: dict[Path, asyncio.Lock] = {}
        self._held: Counter[Path] = Counter()

    def open(self, url: str) -> Repository:
        """What of a URL is here, without asking anybody."""
        return Repository(self._mirrors.path(url))

    async def resolve(self, remote: Remote, ref: str) -> tuple[str, str]:
        """The commit that a tag, a branch or a full object id names now, and the full ref (or that id again).

        Raises NotFound where the remote has no such ref, Denied, Unavailable.
        """
        if is_object_id(ref):
            _ = remote.protocol
            return ref, ref
        found = chosen(ref, await ls_remote(remote, candidates(ref)))
        if found is None:
            raise NotFound(f"{remote.url} has no tag and no branch {ref!r}", remedy="look at the ref behind the @")
        full, commit = found
        return check_object_id(commit), full

    async def bring(self, remote: Remote, commit: str, ref: str) -> Repository:
        """A repository that has a commit; `ref` is how it is called, for a remote that gives out no single commits.

        Raises NotFound, Denied, Unavailable, Conflict where the remote has it no more, LimitExceeded.
        """
        repository = self.open(remote.url)
        async with self._lock(repository.path):
            await repository.init()
            if await _pinned(repository, commit) is None:
                await repository.recover()
                try:
                    await self._fetch(repository, remote, commit, commit)
                except Conflict:
                    if is_object_id(ref):
                        raise
                    await self._fetch(repository, remote, ref, commit)
                if await _pinned(repository, commit) != commit:
                    raise Conflict(f"{ref} of {remote.url} is no longer at {commit[:12]}", remedy="run it again")
            now = self._now()
            (repository.path / _USED).touch()
            os.utime(repository.path / _USED, (now, now))
        return repository

    async def _fetch(self, repository: Repository, remote: Remote, wanted: str, commit: str) -> None:
        with access(remote) as way:
            argv = pin_argv(repository.path, remote.url, wanted, commit, way.protocols, way.config)
            try:
                await process.run(argv, env=way.env, timeout=FETCH_TIMEOUT, package="util-linux")
            except CommandFailed as failed:
                error = command.told(failed)
                # The program that is over its limit dies without a word, and leaves what it has written.
                if await asyncio.to_thread(_discard, repository.path / "objects/pack") >= PACK_LIMIT:
                    most = PACK_LIMIT // MIB
                    raise LimitExceeded(f"{remote.url} sends more than {most} MiB for one commit") from None
                raise explain(without_secrets(error, remote.credentials), remote.url) from None

    @contextmanager
    def holding(self, urls: Sequence[str]) -> Iterator[None]:
        """What is here of these URLs is not deleted while the context lasts."""
        paths = [self._mirrors.path(url) for url in urls]
        self._held.update(paths)
        try:
            yield
        finally:
            self._held.subtract(paths)

    async def retire(self) -> None:
        """Delete what was not used for KEPT_SECONDS, and beyond KEPT_BYTES in all what is longest unused."""
        sizes = await asyncio.to_thread(self._sizes)
        whole, now = sum(size for size, _ in sizes.values()), self._now()
        for path, (size, used) in sorted(sizes.items(), key=lambda entry: entry[1][1]):
            if now - used <= KEPT_SECONDS and whole <= KEPT_BYTES:
                continue
            async with self._lock(path):
                if self._held[path] <= 0:
                    await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
                    whole -= size

    def _sizes(self) -> dict[Path, tuple[int, float]]:
        """Each repository's bytes, and when it was last used."""
        found = {}
        for path in self._root.glob("*.git"):
            with contextlib.suppress(OSError):
                mark = path / _USED if (path / _USED).exists() else path
                used = mark.stat().st_mtime
                found[path] = sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir()), used
        return found

    def _lock(self, path: Path) -> asyncio.Lock:
        return self._locks.setdefault(path, asyncio.Lock())


def _discard(packs: Path) -> int:
    """Remove what a fetch that failed has left; the bytes of the largest file."""
    largest = 0
    for path in packs.glob("tmp_*"):
        with contextlib.suppress(FileNotFoundError):
            largest = max(largest, path.lstat().st_size)
            path.unlink()
    return largest


async def _pinned(repository: Repository, commit: str) -> str | None:
    return await repository.resolve(f"{_PINS}{commit}")
