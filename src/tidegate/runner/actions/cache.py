"""actions/cache, its /restore and its /save: files that later runs of the same branch find again.

As GitHub has it, a cache that can't be restored or saved is no reason for a job to fail: it is told as a warning.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from functools import partial

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.runner.actions.action import Call, Inputs, Outputs
from tidegate.runner.caches import Cache, Caches, Wanted, check_keys
from tidegate.runner.errand import brought, errand
from tidegate.runner.layout import TEMP
from tidegate.runner.workbench import Post
from tidegate.workflow.model import ALWAYS_ON_SUCCESS

_FORMAT = "tar.gz 1"
_ACCEPTED = frozenset({"upload-chunk-size", "enablecrossosarchive"})
_LOOKING = {"key": "", "path": "", "restore-keys": "", "fail-on-cache-miss": "false", "lookup-only": "false"}


class CacheRestore:
    """Puts a cache back where it was."""

    inputs = Inputs("actions/cache/restore", known=_LOOKING, accepted=_ACCEPTED)

    async def run(self, call: Call) -> Outputs:
        """Outputs `cache-hit`, `cache-primary-key`, `cache-matched-key`."""
        key, found = await _restore(call)
        return {"cache-primary-key": key, **_hit(key, found), **({"cache-matched-key": found} if found else {})}


class CacheSave:
    """Keeps a cache, where there is none of that key yet."""

    inputs = Inputs("actions/cache/save", known={"key": "", "path": ""}, accepted=_ACCEPTED)

    async def run(self, call: Call) -> Outputs:
        """No outputs."""
        await _save(call, _key(call))
        return {}


class CacheBoth:
    """Puts a cache back, and keeps it anew when the job has succeeded."""

    inputs = Inputs("actions/cache", known={**_LOOKING, "save-always": ""}, accepted=_ACCEPTED)

    async def run(self, call: Call) -> Outputs:
        """Output `cache-hit`: true for the key itself, false for another key, nothing where none was found."""
        key, found = await _restore(call)
        if call.text("save-always"):
            await call.bench.say("##[warning]save-always never worked as meant; use actions/cache/save with always()")
        call.bench.state.posts.append(Post(ALWAYS_ON_SUCCESS, partial(_save_after, call, key, found)))
        return _hit(key, found)


def _hit(key: str, found: str | None) -> Outputs:
    return {"cache-hit": "true" if found.lower() == key.lower() else "false"} if found is not None else {}


async def _restore(call: Call) -> tuple[str, str | None]:
    """The key, and that of the cache that was found."""
    key, store, bench = _key(call), _store(call), call.bench
    keys = [key, *call.lines("restore-keys")]
    check_keys(keys)
    lines = _paths(call)
    repository = str(bench.github["repository"])
    wanted = Wanted(repository, await _scopes(call), keys, _version(lines))
    cache = await asyncio.to_thread(store.find, wanted)
    if cache is not None and not call.flag("lookup-only") and not await _put_back(call, cache, lines):
        cache = None
    if cache is None:
        if call.flag("fail-on-cache-miss"):
            raise NotFound(f"no cache was found for the key {key!r}, and fail-on-cache-miss is set", where=call.where)
        await bench.say(f"Cache not found for input keys: {', '.join(keys)}")
        return key, None
    await bench.say(f"Cache found with key: {cache.key} ({cache.size} bytes)")
    return key, cache.key


async def _put_back(call: Call, cache: Cache, lines: Sequence[str]) -> bool:
    """Unpack a cache inside of the job; False where it can't be, which is told."""
    bench = call.bench
    try:
        async with brought(bench, partial(_store(call).copy_out, cache)) as archive:
            await errand(bench, "unpack-tar", archive=archive, patterns=lines, folder=bench.layout.workspace)
    except TidegateError as error:
        await bench.say(f"##[warning]Failed to restore: {error}")
        return False
    return True


async def _save_after(call: Call, key: str, found: str | None) -> None:
    if found is not None and found.lower() == key.lower():
        await call.bench.say(f"Cache hit occurred on the primary key {key}, not saving cache.")
        return
    await _save(call, key)


async def _save(call: Call, key: str) -> None:
    check_keys([key])
    lines = _paths(call)
    try:
        await _keep(call, key, lines)
    except TidegateError as error:
        await call.bench.say(f"##[warning]Failed to save: {error}", *([error.remedy] if error.remedy else []))


async def _keep(call: Call, key: str, lines: Sequence[str]) -> None:
    bench, store, version = call.bench, _store(call), _version(lines)
    repository, scope = str(bench.github["repository"]), _scope(call)
    taken = f"there is a cache with the key {key} already, which stays"
    if await asyncio.to_thread(store.has, repository, scope, key, version):
        await bench.say(f"Not saved: {taken}")
        return
    archive = f"{TEMP}/cache-{secrets.token_hex(8)}.tgz"
    inside = bench.layout.inside(archive)
    try:
        found = await errand(bench, "pack-tar", archive=inside, patterns=lines, folder=bench.layout.workspace)
        if not found["files"]:
            raise NotFound("nothing of what `path` names is there")
        saved = await asyncio.to_thread(_saved, call, key, version, archive)
        await bench.say(f"Cache saved with key: {key}" if saved else f"Not saved: {taken}")
    finally:
        await asyncio.to_thread(bench.folder.delete, archive)


def _saved(call: Call, key: str, version: str, archive: str) -> bool:
    with call.bench.folder.open(archive) as file:
        return _store(call).save(str(call.bench.github["repository"]), _scope(call), key, version, file)


async def _scopes(call: Call) -> list[str]:
    """Where caches are looked for: the run's own branch, the base of its pull request, the default branch."""
    github = call.bench.github
    scopes = [_scope(call)]
    if github.get("base_ref"):
        scopes.append(f"refs/heads/{github['base_ref']}")
    repository = call.services.repository(str(github["repository"]))
    head = await repository.head() if repository is not None else None
    return list(dict.fromkeys([*scopes, *([head] if head else [])]))


def _scope(call: Call) -> str:
    """Where a run's caches are kept. A pull request that is on no forge has no number, but the branch that it asks
    for: what one proposes is never found by another, nor by the branch that it is for.
    """
    github = call.bench.github
    return f"{github['ref']} {github['head_ref']}" if github.get("head_ref") else str(github["ref"])


def _version(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join([*lines, _FORMAT]).encode()).hexdigest()


def _paths(call: Call) -> list[str]:
    lines = call.lines("path")
    if not lines:
        raise InvalidInput("the input 'path' is required", where=call.where)
    return lines


def _key(call: Call) -> str:
    key = call.text("key")
    if not key:
        raise InvalidInput("the input 'key' is required", where=call.where)
    return key


def _store(call: Call) -> Caches:
    if call.services.caches is None:
        raise NotFound("there is no place for caches here", where=call.where)
    return call.services.caches
