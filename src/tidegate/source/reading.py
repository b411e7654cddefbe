"""From a GitRepository to the commit that it names now, with its files on this disk."""

from __future__ import annotations

from typing import Any

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.ports import Store
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.git.secrets import credentials_for
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.objects import Object
from tidegate.kinds.semver_ranges import Range, parse_range
from tidegate.source.versions import TAGS, newest_tag

DEFAULT_BRANCH = "master"


@frozen
class FoundSource:
    """Where a source is: a repository on this disk, the ref (or the commit, where that was named), the commit."""

    repository: Repository
    ref: str
    commit: str

    @property
    def revision(self) -> str:
        """Flux's form of it, as `main@sha1:…`."""
        return revision_of(self.ref, self.commit)


async def read_source(origins: Origins, store: Store, obj: Object) -> FoundSource:
    """Ask the remote, and fetch what is new. Raises InvalidInput for a wrong spec, NotFound, Denied, Unavailable."""
    spec, versions = GitRepository.from_object(obj), wanted_range(obj)
    way = await way_of(store, spec)
    if versions is None:
        ref = wanted_ref(obj)
        read = origins.read if ref.startswith("refs/") else origins.read_commit
        repository, commit = await read(spec.url, ref, **way)
        return FoundSource(repository, ref, commit)
    listed = await origins.refs(spec.url, TAGS, **way)
    tag = newest_tag(listed, versions)
    if tag is None:
        raise NotFound(
            f"no match found for semver: {versions.text} ({len(listed)} tags of {spec.url})",
            remedy="push a tag in that range, or change spec.ref.semver",
        )
    repository, commit = await origins.read(spec.url, tag, listed=listed[tag], **way)
    return FoundSource(repository, tag, commit)


async def read_tag_again(origins: Origins, store: Store, spec: GitRepository, ref: str) -> None:
    """Bring a tag as it is now, where the mirror may have one that was made earlier for the same commit."""
    await origins.read(spec.url, ref, again=True, **await way_of(store, spec))


async def way_of(store: Store, spec: GitRepository) -> dict[str, Any]:
    """How a source's remote is reached, as arguments of Origins. What is wrong with its Secrets has Flux's reason for
    it, `AuthenticationFailed`.
    """
    try:
        credentials = await credentials_for(store, spec)
    except (InvalidInput, NotFound) as error:
        raise error.under("AuthenticationFailed") from error
    return {"credentials": credentials, "timeout": spec.timeout_seconds}


def just_pushed(origins: Origins, obj: Object) -> FoundSource | None:
    """What an automation of this process has just pushed to a source's branch, where the source does not say so yet."""
    if wanted_range(obj) is not None:
        return None
    spec, ref = GitRepository.from_object(obj), wanted_ref(obj)
    pushed = origins.just_pushed(spec.url, ref)
    if pushed is None:
        return None
    found = FoundSource(pushed[0], ref, pushed[1])
    before = ((obj.get("status") or {}).get("artifact") or {}).get("revision")
    return None if found.revision == before else found


def wanted_range(obj: Object) -> Range | None:
    """The range of `spec.ref.semver`; None where there is none, or a commit or name counts before it. Raises
    InvalidInput for what is no range.
    """
    ref: dict[str, Any] = (obj.get("spec") or {}).get("ref") or {}
    if ref.get("commit") or ref.get("name") or not ref.get("semver"):
        return None
    return parse_range(str(ref["semver"]))


def wanted_ref(obj: Object) -> str:
    """The ref or commit that `spec.ref` names without a range, the most exact one first: commit, name, tag, branch."""
    ref: dict[str, Any] = (obj.get("spec") or {}).get("ref") or {}
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
