"""The Git repositories that this machine hosts, as `OWNER/NAME.git` below one folder. It serves nothing itself.

A repository exists from its first ref on: one that a failed first push left empty is neither listed nor found.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.base.errors import InvalidInput
from tidegate.git.remote import is_loopback
from tidegate.git.repository import Repository

_PART = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_URL_PATH = re.compile(r"(?:/git)?/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?")
_NEW = "tidegate-new"
_DEFAULT_BRANCHES = ("refs/heads/main", "refs/heads/master")


def check_owner(owner: str) -> str:
    """The owner itself; InvalidInput where it could not be a folder of its own."""
    if not _PART.fullmatch(owner) or owner[0] in ".-":
        raise InvalidInput(f"{owner!r} is no owner of a repository", remedy="use letters, digits, '_', '-' and '.'")
    return owner


def check_name(name: str) -> str:
    """The name itself, without `.git`; InvalidInput where it could not be a repository's."""
    if not _PART.fullmatch(name) or name in (".", "..") or name[0] == "-" or name.lower().endswith((".git", ".lock")):
        raise InvalidInput(f"{name!r} is no name of a repository", remedy="use letters, digits, '_', '-' and '.'")
    return name


class HostedRepositories:
    """The repositories below `root`. `hosts` are the registry-like names that this machine stands in for
    (`github.com`), `port` the one on loopback where it answers.
    """

    def __init__(self, root: Path, *, hosts: Collection[str] = (), port: int | None = None):
        self.root = root
        self.hosts = frozenset(host.lower() for host in hosts)
        self.port = port
        self._creating = asyncio.Lock()

    def path(self, owner: str, name: str) -> Path:
        """Where a repository is or would be. Raises InvalidInput."""
        return self.root / check_owner(owner) / f"{check_name(name)}.git"

    def get(self, owner: str, name: str) -> Repository | None:
        """A repository that has at least one ref, or None."""
        repository = Repository(self.path(owner, name))
        return repository if _has_refs(repository.path) else None

    async def create(self, owner: str, name: str) -> Repository:
        """The repository, made if it is not there: empty, and so not listed, until something is pushed."""
        repository = Repository(self.path(owner, name))
        async with self._creating:  # git makes the same repository only once at a time
            if not repository.exists():
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
                await repository.init()
                (repository.path / _NEW).touch()
        return repository

    def is_new(self, owner: str, name: str) -> bool:
        """Whether what a first push sets up is still to be made; also after a kill, until `set_up` says otherwise."""
        return (self.path(owner, name) / _NEW).exists()

    def set_up(self, owner: str, name: str) -> None:
        """What a first push sets up is made: never make it again, should a person delete it."""
        (self.path(owner, name) / _NEW).unlink(missing_ok=True)

    def list(self) -> Sequence[tuple[str, str]]:
        """Owner and name of every repository, sorted."""
        return sorted((owner, name) for owner, name in self._folders() if _has_refs(self.path(owner, name)))

    def by_url(self, url: str) -> Path | None:
        """Where the repository of a URL is or would be, if this machine answers for its host; None where it does not.

        A host that it stands in for (`https://github.com/OWNER/NAME`, `.git` or not, `ssh://git@…` too), or its own
        loopback address (`http://127.0.0.1:PORT/git/OWNER/NAME.git`).
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return None
        stands_in = parts.scheme in ("https", "ssh") and port is None and host in self.hosts
        own = parts.scheme in ("http", "https") and is_loopback(host) and port is not None and port == self.port
        found = _URL_PATH.fullmatch(parts.path)
        if found is None or not (stands_in or own) or parts.path.startswith("/git/") is not own:
            return None
        try:
            return self.path(found["owner"], found["name"])
        except InvalidInput:
            return None

    async def recover(self) -> None:
        """Before the doors open: remove what a killed server left, finish what a first push began."""
        for owner, name in self._folders():
            repository = Repository(self.path(owner, name))
            if _has_refs(repository.path):
                await repository.recover()
                await settle_head(repository)
            else:
                self.discard_empty(owner, name)

    def discard_empty(self, owner: str, name: str) -> None:
        """Remove a repository that has no ref."""
        path = self.path(owner, name)
        if not _has_refs(path):
            shutil.rmtree(path, ignore_errors=True)
            if not self._creating.locked():
                with contextlib.suppress(OSError):  # the owner has other repositories
                    path.parent.rmdir()

    def _folders(self) -> Sequence[tuple[str, str]]:
        found = []
        for path in sorted(self.root.glob("*/*.git")):
            owner, name = path.parent.name, path.name.removesuffix(".git")
            try:
                found.append((check_owner(owner), check_name(name)))
            except InvalidInput:
                continue
        return found


async def settle_head(repository: Repository) -> None:
    """Let HEAD name a branch that exists: main or master if pushed, else the first one."""
    heads = await repository.refs("refs/heads/")
    if heads and await repository.head() not in heads:
        await repository.set_head(next((ref for ref in _DEFAULT_BRANCHES if ref in heads), min(heads)))


def _has_refs(path: Path) -> bool:
    packed = path / "packed-refs"
    if packed.is_file() and any(not line.startswith("#") for line in packed.read_text("utf-8", "replace").splitlines()):
        return True
    return any(item.is_file() and item.suffix != ".lock" for item in (path / "refs").rglob("*"))
