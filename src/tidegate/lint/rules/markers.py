"""Markers that name no policy, and policies that no marker names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from tidegate.base.errors import Where
from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.known import Known

WITHOUT_POLICY = Rule("marker-without-policy", "A marker that names no policy", "lint.md#marker-without-policy")
WITHOUT_MARKER = Rule("policy-without-marker", "A policy that no marker names", "lint.md#policy-without-marker")


def check(known: Known) -> Iterator[Finding]:
    """An error for each marker without its policy, where there are policies; a warning for each policy without one."""
    repository = known.repository
    keys = [policy.model.key for policy in repository.policies]
    shown = [f"{key.namespace}:{key.name}" for key in keys]
    named: set[int] = set()
    for path, found in repository.markers.items():
        for marker in found.markers:
            namespace, _, name = marker.policy.partition(":")
            policies = known.catalogue.policies.named(namespace, name)
            named |= set(map(id, policies))
            if not policies:
                yield _without_policy(Where(path, marker.line), marker.policy, shown)
    for policy in repository.policies:
        if id(policy) not in named:
            text = f'# {{"$imagepolicy": "{policy.model.key.namespace}:{policy.model.key.name}"}}'
            remedy = f"write {text} behind the image to update, or remove the policy"
            yield Finding(
                WITHOUT_MARKER, Level.WARNING, policy.where, f"no marker names the ImagePolicy {policy.name}", remedy
            )


def _without_policy(where: Where, policy: str, shown: list[str]) -> Finding:
    near = difflib.get_close_matches(policy, shown, 1)
    if near:
        remedy = f"did you mean {near[0]}?"
    else:
        remedy = f"the policies here are {', '.join(shown)}" if shown else "if it is in another repository, all is well"
    level = Level.ERROR if shown else Level.WARNING
    return Finding(
        WITHOUT_POLICY, level, where, f"no ImagePolicy here is named {policy}: the value is never updated", remedy
    )
