"""Which images belong to which sources: an index of policies and automations, kept as they change. Pure.

An image belongs to the sources of the automations that use its policies: those that they have looked at
(`status.observedPolicies`), or all of their namespace where they have not looked yet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tidegate.base.frozen import frozen
from tidegate.kinds.objects import ObjectKey


@frozen
class Automation:
    """What counts of an automation. `observed` is empty where it has not looked at any policy yet."""

    key: ObjectKey
    source: ObjectKey
    pushed: str | None
    observed: frozenset[str]


class Relations:
    """Finds what belongs together without going through all there is."""

    def __init__(self) -> None:
        self._repository_of: dict[ObjectKey, ObjectKey] = {}
        self._policies: defaultdict[ObjectKey, set[ObjectKey]] = defaultdict(set)
        self._automations: dict[ObjectKey, Automation] = {}
        self._pushed: Counter[str] = Counter()
        # By namespace and the policies looked at: many automations look at the same, and each names all of them.
        self._observers: dict[str, dict[frozenset[str], set[ObjectKey]]] = {}

    def set_policy(self, policy: ObjectKey, repository: ObjectKey | None) -> None:
        """A policy selects from the tags of an ImageRepository; None where it is gone."""
        before = self._repository_of.pop(policy, None)
        if before is not None:
            self._policies[before].discard(policy)
        if repository is not None:
            self._repository_of[policy] = repository
            self._policies[repository].add(policy)

    def set_automation(self, key: ObjectKey, automation: Automation | None) -> None:
        """An automation as it is now; None where it is gone."""
        if (before := self._automations.pop(key, None)) is not None:
            self._forget(before)
            if before.pushed:
                self._pushed[before.pushed] -= 1
                if not self._pushed[before.pushed]:
                    del self._pushed[before.pushed]
        if automation is not None:
            self._automations[key] = self._observe(automation)
            if automation.pushed:
                self._pushed[automation.pushed] += 1

    def _observe(self, automation: Automation) -> Automation:
        """Note whose policies it looks at; it then shares the set of their names with the others of that set."""
        groups = self._observers.setdefault(automation.key.namespace, {})
        known = next((names for names in groups if names == automation.observed), automation.observed)
        groups.setdefault(known, set()).add(automation.key)
        return replace(automation, observed=known)

    def _forget(self, automation: Automation) -> None:
        groups = self._observers[automation.key.namespace]
        groups[automation.observed].discard(automation.key)
        if not groups[automation.observed]:
            del groups[automation.observed]

    def is_pushed(self, commit: str) -> bool:
        """Whether a commit is the last that an automation has pushed, to whichever source: it starts no build."""
        return commit in self._pushed

    def automations_of(self, repository: ObjectKey) -> Iterator[Automation]:
        """The automations that use a policy of this ImageRepository."""
        found: set[ObjectKey] = set()
        for policy in self._policies.get(repository, ()):
            for names, keys in self._observers.get(policy.namespace, {}).items():
                if not names or policy.name in names:
                    found |= keys
        for key in sorted(found):
            yield self._automations[key]

    def repositories_of(self, sources: set[ObjectKey]) -> set[ObjectKey]:
        """The ImageRepositories whose policies are used by automations of these sources."""
        named: set[tuple[str, str]] = set()
        everywhere: set[str] = set()
        for key, automation in self._automations.items():
            if automation.source in sources and automation.observed:
                named.update((key.namespace, name) for name in automation.observed)
            elif automation.source in sources:
                everywhere.add(key.namespace)
        policies = self._repository_of.items()
        return {of for key, of in policies if key.namespace in everywhere or (key.namespace, key.name) in named}
