"""The closure of what packages depend on: which packages a base image is made of. Pure.

Not apt: nothing is installed yet, so nothing is kept, upgraded or broken; the first alternative that exists wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.build.debian.packages import Package, Relation, newest

PACKAGE_LIMIT = 2000
_PRIORITIES = ("required", "important", "standard", "optional", "extra")


class Packages(Protocol):
    """Where packages are looked up: an index."""

    def named(self, name: str) -> list[Package]: ...

    def providing(self, name: str) -> list[Package]: ...


def resolve(
    indexes: Sequence[Packages],
    wanted: Iterable[str],
    without: frozenset[str] = frozenset(),
    installed: Iterable[Package] = (),
    *,
    recommends: bool = False,
) -> list[Package]:
    """The newest versions of `wanted` and all that they need and is not `installed`, sorted by name.

    `without` names packages that are left out with what only they need: those that serve maintainer scripts, which
    never run here. With `recommends` what they recommend comes too, where it is there. Raises InvalidInput naming the
    chain where something can't be had, or where what is installed would have to be replaced.
    """
    chosen: dict[str, Package] = {package.name: package for package in installed}
    there = frozenset(chosen)
    todo: list[tuple[tuple[Relation, ...], str]] = [((Relation(name),), "what was asked for") for name in wanted]
    while todo:
        group, needed_by = todo.pop(0)
        if any(alternative.name in without for alternative in group) or _satisfied(chosen, group):
            continue
        package = _first_available(indexes, group)
        if package is None:
            names = " | ".join(map(str, group))
            raise InvalidInput(f"no package {names} in the suite, needed by {needed_by}")
        if package.name in chosen:
            raise InvalidInput(f"{needed_by} needs {package.name} in another version than the one chosen already")
        if len(chosen) >= PACKAGE_LIMIT:
            raise LimitExceeded(f"more than {PACKAGE_LIMIT} packages are needed")
        chosen[package.name] = package
        todo += [(relations, package.name) for relations in package.depends]
        if recommends:
            wished = [group for group in package.recommends if _first_available(indexes, group) is not None]
            todo += [(group, package.name) for group in wished]
    return [chosen[name] for name in sorted(chosen) if name not in there]


def _satisfied(chosen: dict[str, Package], group: Iterable[Relation]) -> bool:
    for alternative in group:
        package = chosen.get(alternative.name)
        if package is not None and alternative.accepts(package.version):
            return True
        if any(_provides(package, alternative) for package in chosen.values()):
            return True
    return False


def _first_available(indexes: Sequence[Packages], group: Iterable[Relation]) -> Package | None:
    for alternative in group:
        real = newest(package for index in indexes for package in index.named(alternative.name))
        if real is not None and alternative.accepts(real.version):
            return real
        providers = {
            package.name: package
            for index in indexes
            for package in index.providing(alternative.name)
            if _provides(package, alternative)
        }
        best = min(providers.values(), key=lambda package: (_rank(package), package.name), default=None)
        if best is not None:
            return newest(package for index in indexes for package in index.named(best.name))
    return None


def _provides(package: Package, wanted: Relation) -> bool:
    """A versioned need is met only by a versioned Provides (policy 7.5)."""
    matching = (provided for provided in package.provides if provided.name == wanted.name)
    return any(not wanted.operator or (provided.version and wanted.accepts(provided.version)) for provided in matching)


def _rank(package: Package) -> int:
    return _PRIORITIES.index(package.priority) if package.priority in _PRIORITIES else len(_PRIORITIES)
