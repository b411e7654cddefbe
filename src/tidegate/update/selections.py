"""What policies selected for an automation, and how its status says what it has seen of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.engine.ports import Store
from tidegate.kinds.common import LabelSelector, mapping
from tidegate.kinds.objects import Object, key_of
from tidegate.update.edit import Edited

GROUP, POLICY_KIND = "image.toolkit.fluxcd.io", "ImagePolicy"


@dataclass(frozen=True, slots=True)
class Selections:
    """The policies that an automation wants (`NS:NAME`) and what each selected, or None; and those of its namespace
    that it does not want, whose markers are left to others.
    """

    selected: Mapping[str, str | None]
    unwanted: frozenset[str] = frozenset()

    @property
    def references(self) -> dict[str, str]:
        """The references that there are."""
        return {name: reference for name, reference in self.selected.items() if reference}

    def problems(self, edited: Edited) -> tuple[str, ...]:
        """What is wrong with markers, each with its place."""
        missing = [one for one in edited.missing if one.policy not in self.unwanted]
        return (*edited.problems, *(one.explain(self.selected) for one in missing))


async def policies_of(store: Store, namespace: str) -> list[Object]:
    """The policies of a namespace."""
    return list((await store.list(GROUP, POLICY_KIND, namespace=namespace)).items)


def selections(policies: Iterable[Object], selector: LabelSelector | None) -> Selections:
    """What an automation with this `policySelector` takes of policies; all of them where it has none."""
    selected: dict[str, str | None] = {}
    unwanted = set()
    for policy in policies:
        name = f"{key_of(policy).namespace}:{key_of(policy).name}"
        if selector is None or selector.matches(mapping(policy["metadata"].get("labels"))):
            selected[name] = selected_reference(policy)
        else:
            unwanted.add(name)
    return Selections(selected, frozenset(unwanted))


def selected_reference(policy: Object) -> str | None:
    """The reference that an ImagePolicy selected, or None."""
    status = policy.get("status") or {}
    latest = status.get("latestRef") or {}
    if not latest.get("name") or not latest.get("tag"):
        return status.get("latestImage") or None
    reference = f"{latest['name']}:{latest['tag']}"
    return f"{reference}@{latest['digest']}" if latest.get("digest") else reference


def selected_and_labels(policy: Object) -> object:
    """What of a policy may change an update: what it selected, and the labels by which an automation may want it."""
    return selected_reference(policy), (policy.get("metadata") or {}).get("labels")


def observed_policies(references: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch of `status.observedPolicies`, from what each policy (`NS:NAME`) selected, as `NAME:TAG[@DIGEST]`.
    Policies and digests that were there `before` and are gone are removed.
    """
    observed: dict[str, Any] = {}
    for policy, reference in references.items():
        key, (image, _, digest) = policy.partition(":")[2], reference.partition("@")
        name, _, tag = image.rpartition(":")
        observed[key] = {"name": name, "tag": tag}
        if digest or "digest" in mapping(before.get(key)):
            observed[key]["digest"] = digest or None
    return dict.fromkeys(set(before) - set(observed)) | observed
