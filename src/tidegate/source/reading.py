"""From a GitRepository to the commit that it names now, with its files on this disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.git.secrets import credentials_of
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.objects import Object, key_of

DEFAULT_BRANCH = "master"


@dataclass(frozen=True, slots=True)
class FoundSource:
    """Where a source is: a repository on this disk, the commit, and Flux's form of its revision."""

    repository: Repository
    commit: str
    revision: str


async def read_source(origins: Origins, store: Store, obj: Object) -> FoundSource:
    """Ask the remote, and fetch what is new. Raises InvalidInput for a wrong spec, NotFound, Denied, Unavailable."""
    spec, ref = GitRepository.from_object(obj), wanted_ref(obj)
    credentials = None
    if spec.secret_ref is not None:
        credentials = credentials_of(await read_secret(store, key_of(obj).namespace, spec.secret_ref.name))
    repository, commit = await origins.read(spec.url, ref, credentials=credentials, timeout=spec.timeout_seconds)
    return FoundSource(repository, commit, revision_of(ref, commit))


def just_pushed(origins: Origins, obj: Object) -> FoundSource | None:
    """What an automation of this process has just pushed to a source's branch, where the source does not say so yet."""
    spec, ref = GitRepository.from_object(obj), wanted_ref(obj)
    pushed = origins.just_pushed(spec.url, ref)
    if pushed is None:
        return None
    repository, commit = pushed
    revision = revision_of(ref, commit)
    before = ((obj.get("status") or {}).get("artifact") or {}).get("revision")
    return None if revision == before else FoundSource(repository, commit, revision)


def wanted_ref(obj: Object) -> str:
    """The ref or commit that `spec.ref` names, the most exact one first: commit, name, tag, branch."""
    ref: dict[str, Any] = (obj.get("spec") or {}).get("ref") or {}
    if semver := ref.get("semver"):
        raise InvalidInput(f"spec.ref.semver {semver!r} is not supported yet", remedy="name a tag, branch or commit")
    if commit := ref.get("commit"):
        return str(commit)
    if name := ref.get("name"):
        return str(name)
    if tag := ref.get("tag"):
        return f"refs/tags/{tag}"
    return f"refs/heads/{ref.get('branch') or DEFAULT_BRANCH}"


def revision_of(ref: str, commit: str) -> str:
    """Flux's form of a revision: `main@sha1:…`, for a tag `v1.0@sha1:…`, for a commit alone `sha1:…`."""
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.startswith(prefix):
            return f"{ref.removeprefix(prefix)}@sha1:{commit}"
    return f"{ref}@sha1:{commit}" if ref.startswith("refs/") else f"sha1:{commit}"
