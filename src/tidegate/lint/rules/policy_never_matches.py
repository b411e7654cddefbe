"""A policy that can select none of the tags that the workflows here make for its image."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.lint.catalogue import chance
from tidegate.lint.findings import Finding, Level, Rule
from tidegate.lint.holes import shown
from tidegate.lint.known import Known

RULE = Rule(
    "policy-never-matches", "A policy that can select no tag that its workflow makes", "lint.md#policy-never-matches"
)


def check(known: Known) -> Iterator[Finding]:
    """One finding for each policy whose image is built here, and of which no tag may qualify."""
    for policy in known.repository.policies:
        builds = known.builds_for(policy)
        images = known.catalogue.scanned_by(policy)
        answers = [chance(build, image, policy) for build in builds for image in images]
        if not answers or any(answer.may for answer in answers):
            continue
        reasons = "; ".join(dict.fromkeys(answer.reason for answer in answers))
        pushed = ", ".join(dict.fromkeys(f"{build.where.file}:{build.where.line}" for build in builds))
        message = f"the ImagePolicy {policy.name} can select nothing that is pushed at {pushed}: {reasons}"
        wanted = ", ".join(dict.fromkeys(shown(build.reference) for build in builds))
        remedy = f"change the policy, or the tags that are pushed ({wanted})"
        yield Finding(RULE, Level.ERROR, policy.place.key("spec", "policy"), message, remedy)
