"""What policies selected for an automation, and how its status says what it has seen of it. Pure but `Policies`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.engine.ports import Store
from tidegate.kinds.allowing import ALLOW_FROM, allows
from tidegate.kinds.common import LabelSelector, mapping
from tidegate.kinds.objects import Object, annotation, key_of
from tidegate.kinds.rolled_back import RolledBack, rolled_back_of
from tidegate.update.edit import Edited

GROUP, POLICY_KIND = "image.toolkit.fluxcd.io", "ImagePolicy"


@frozen
class Selections:
    """The policies that an automation of a namespace wants (`NS:NAME`) and what each selected, or None; and those that
    it does not want, whose markers are left to others. `holds` is what was taken back of the wanted ones, and `named`
    what the status of these names.
    """

    selected: Mapping[str, str | None]
    unwanted: frozenset[str] = frozenset()
    namespace: str = ""
    holds: Mapping[str, RolledBack] = field(default_factory=dict)
    named: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def references(self) -> dict[str, str]:
        """The references that there are."""
        return {name: reference for name, reference in self.selected.items() if reference}

    def problems(self, edited: Edited) -> tuple[str, ...]:
        """What is wrong with markers, each with its place."""
        missing = [one for one in edited.missing if one.policy not in self.unwanted]
        return (*edited.problems, *(one.explain(self.selected, self.namespace) for one in missing))


class Policies:
    """The policies of some namespaces as they are at this moment, and those of all others that allow it."""

    def __init__(self, store: Store, near: Mapping[str, Sequence[Object]]):
        self._store = store
        self._near = near
        self._far: list[Object] | None = None

    @classmethod
    async def read(cls, store: Store, namespaces: Collection[str]) -> Policies:
        """Read those of some namespaces."""
        listed = {name: (await store.list(GROUP, POLICY_KIND, namespace=name)).items for name in sorted(namespaces)}
        return cls(store, listed)

    async def read_far(self, namespace: str, named: Iterable[str]) -> bool:
        """Read those of the other namespaces too, once, where a name (`NS:NAME`) is none of `namespace`; whether that
        brought something to an automation of it.
        """
        if self._far is not None or all(name.startswith(f"{namespace}:") for name in named):
            return False
        every = (await self._store.list(GROUP, POLICY_KIND)).items
        self._far = [one for one in every if annotation(one, ALLOW_FROM) is not None]
        return bool(self._far)

    def of(self, namespace: str, selector: LabelSelector | None) -> Selections:
        """What an automation of a namespace, with this `policySelector`, takes of them."""
        far = [one for one in self._far or () if key_of(one).namespace != namespace and allows(one, namespace)]
        return replace(selections([*self._near[namespace], *far], selector), namespace=namespace)


def selections(policies: Iterable[Object], selector: LabelSelector | None) -> Selections:
    """What an automation with this `policySelector` takes of policies; all of them where it has none."""
    selected: dict[str, str | None] = {}
    unwanted, holds, named = set(), {}, {}
    for policy in policies:
        key = key_of(policy)
        name = f"{key.namespace}:{key.name}"
        if selector is None or selector.matches(mapping(policy["metadata"].get("labels"))):
            reference, held = named_reference(policy), hold_of(policy)
            selected[name] = _to_select(reference, held)
            if held is not None:
                holds[name], named[name] = held, reference
        else:
            unwanted.add(name)
    return Selections(selected, frozenset(unwanted), holds=holds, named=named)


def selected_reference(policy: Object) -> str | None:
    """The reference that an ImagePolicy selected, or None. Of a policy that has not been looked at since its tag was
    taken back, or was released again, it is what it is going to select.
    """
    return _to_select(named_reference(policy), hold_of(policy))


def _to_select(reference: str | None, held: RolledBack | None) -> str | None:
    if held is None:
        return reference
    before, after = (held.good, held.bad) if held.released else (held.bad, held.good)
    return after if reference == before else reference


def hold_of(policy: Object) -> RolledBack | None:
    """What was taken back of a policy; None also where that can't be read, which the policy's own status tells."""
    try:
        return rolled_back_of(policy)
    except InvalidInput:
        return None


def named_reference(policy: Object) -> str | None:
    """The reference that an ImagePolicy's status names, or None."""
    status = policy.get("status") or {}
    latest = status.get("latestRef") or {}
    if not latest.get("name") or not latest.get("tag"):
        return status.get("latestImage") or None
    reference = f"{latest['name']}:{latest['tag']}"
    return f"{reference}@{latest['digest']}" if latest.get("digest") else reference


def selected_and_wanted(policy: Object) -> object:
    """What of a policy may change an update: what it selected, the labels by which an automation may want it, and who
    may.
    """
    return selected_reference(policy), (policy.get("metadata") or {}).get("labels"), annotation(policy, ALLOW_FROM)


def observed_policies(references: Mapping[str, str], before: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """The merge patch of `status.observedPolicies`, from what each policy (`NS:NAME`) selected, as `NAME:TAG[@DIGEST]`:
    by the names of those in the automation's namespace, and `NS/NAME` of others. Policies and digests that were there
    `before` and are gone are removed.
    """
    observed: dict[str, Any] = {}
    for policy, reference in references.items():
        key, (image, _, digest) = _observed_name(policy, namespace), reference.partition("@")
        name, _, tag = image.rpartition(":")
        observed[key] = {"name": name, "tag": tag}
        if digest or "digest" in mapping(before.get(key)):
            observed[key]["digest"] = digest or None
    return dict.fromkeys(set(before) - set(observed)) | observed


def _observed_name(policy: str, namespace: str) -> str:
    near, _, name = policy.partition(":")
    return name if near == namespace else f"{near}/{name}"
