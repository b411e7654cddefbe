"""Caches: what jobs keep for later runs. As on GitHub a run finds those of its own branch, of the branch that its pull
request is for, and of the default branch; it makes them for its own branch alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.runner.shelf import GIB, Item, Shelf

BUDGET = 10 * GIB
UNUSED_DAYS = 7
KEY_LIMIT = 512
MOST_KEYS = 10
DAY = 86400.0


@frozen
class Wanted:
    """Which cache is asked for. `scopes` are full refs, the first one first; `keys` the key itself, then those that
    need only be its beginning; `version` tells apart what is cached.
    """

    repository: str
    scopes: Sequence[str]
    keys: Sequence[str]
    version: str


@frozen
class Cache:
    """A cache that was found. `key` is its own."""

    key: str
    size: int
    item: Item


class Caches:
    """The caches in the folder `root`. All of it blocks: call it in a thread."""

    def __init__(self, root: Path, clock: Clock, budget: int = BUDGET):
        self._shelf = Shelf(root, clock, budget)
        self._clock = clock

    def find(self, wanted: Wanted) -> Cache | None:
        """The cache that fits: scope by scope the key itself, then the newest that begins with each key in turn."""
        found = [item for item in self._fresh(wanted.repository) if item.facts["version"] == wanted.version]
        for scope in wanted.scopes:
            item = chosen([one for one in found if one.facts["scope"] == scope], wanted.keys)
            if item is not None:
                return Cache(str(item.facts["key"]), item.size, item)
        return None

    def has(self, repository: str, scope: str, key: str, version: str) -> bool:
        """Whether a scope has a cache of exactly that key."""
        return self._shelf.get(_group(repository), _name(scope, key, version)) is not None

    def save(self, repository: str, scope: str, key: str, version: str, archive: BinaryIO) -> bool:
        """Keep an archive; False where the scope has one of that key, which stays. Raises as `Shelf.put` does."""
        self._fresh(repository)
        if self.has(repository, scope, key, version):
            return False
        facts = {"repository": repository, "scope": scope, "key": key, "version": version}
        self._shelf.put(_group(repository), _name(scope, key, version), archive, facts)
        return True

    def copy_out(self, cache: Cache, path: Path) -> None:
        """Copy a cache's archive to a new file; it counts as used. Raises NotFound where it is gone."""
        self._shelf.copy_out(cache.item, path)

    def sweep(self) -> None:
        """Delete what a process that died has left half done."""
        self._shelf.sweep()

    def _fresh(self, repository: str) -> list[Item]:
        """A repository's caches, without those that nobody has used for long, which are deleted."""
        oldest = self._clock.now().timestamp() - UNUSED_DAYS * DAY
        kept = []
        for item in self._shelf.items(_group(repository)):
            if item.used < oldest:
                self._shelf.delete(item)
            else:
                kept.append(item)
        return kept


def chosen(items: Sequence[Item], keys: Sequence[str]) -> Item | None:
    """Of one scope's caches the one that fits the keys. Pure."""
    newest_first = sorted(items, key=lambda item: item.created, reverse=True)
    exact = next((item for item in newest_first if keys and item.facts["key"] == keys[0]), None)
    if exact is not None:
        return exact
    for key in keys:
        for item in newest_first:
            if str(item.facts["key"]).startswith(key):
                return item
    return None


def check_keys(keys: Sequence[str]) -> None:
    """Refuse what GitHub refuses as keys. Raises InvalidInput."""
    if len(keys) > MOST_KEYS:
        raise InvalidInput(f"{len(keys)} keys are too many; {MOST_KEYS} are the most, the key itself included")
    for key in keys:
        if len(key) > KEY_LIMIT or "," in key:
            why = f"it is longer than {KEY_LIMIT} characters" if len(key) > KEY_LIMIT else "it has a comma"
            raise InvalidInput(f"{key[:80]!r} is no key of a cache: {why}")


def _group(repository: str) -> str:
    return hashlib.sha256(repository.lower().encode()).hexdigest()[:24]


def _name(scope: str, key: str, version: str) -> str:
    return hashlib.sha256(f"{scope}\0{key}\0{version}".encode()).hexdigest()[:32]
