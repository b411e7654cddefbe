"""What would change the answer: the decision made again with one thing otherwise, and told where it differs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.select.decision import KEPT, Decision, Reason
from tidegate.select.filters import TagFilter
from tidegate.select.policy import Policy, select

_BARE_VERSION = re.compile(r"(?<![0-9A-Za-z.+-])v?[0-9]+(?:\.[0-9]+){0,2}(?![0-9A-Za-z.+-])")
_NEXT = {
    "semver": "with a higher version that the range {} admits",
    "numerical asc": "with a larger number",
    "numerical desc": "with a smaller number",
    "alphabetical asc": "that comes later in the alphabet",
    "alphabetical desc": "that comes earlier in the alphabet",
}


@frozen
class Rule:
    """By what a decision was made; with `newest`, the time of creation orders what the policy admits."""

    policy: Policy
    tag_filter: TagFilter | None = None
    newest: bool = False


def advice(
    decision: Decision,
    rule: Rule,
    *,
    excluded: Sequence[str] = (),
    unscanned: Sequence[str] = (),
    where: str = "spec.exclusionList",
) -> list[str]:
    """Sentences, the likeliest first. Each names the tag that would be selected; the last one says what a new tag must
    be like, unless no new tag would be selected. `where` names the list by which `excluded` were left out of the
    decision's tags.
    """
    found = list(_of_what_rejects(decision))
    if decision.because and not decision.because.startswith(KEPT):
        return found
    if rule.newest:
        return [*found, "a new tag that the policy admits, of an image that is made later, would be selected"]
    if not decision.because:
        found += _otherwise_decided(decision, rule, excluded, unscanned, where)
    following = _NEXT[rule.policy.kind].format(rule.policy.words().partition(" ")[2])
    passing = ", if the filter lets it pass," if decision.pattern else ""
    return [*found, f"a new tag {following}{passing} would be selected"]


def _otherwise_decided(
    decision: Decision, rule: Rule, excluded: Sequence[str], unscanned: Sequence[str], where: str
) -> list[str]:
    found = [
        *_of_tags(decision, rule, excluded, unscanned, where),
        *_of_the_range(decision, rule),
        *_of_the_filter(decision, rule),
    ]
    return [f"{text}, unless it is rejected too" for text in found] if decision.rejections else found


def _of_what_rejects(decision: Decision) -> Iterator[str]:
    if not decision.because and not decision.rejections:
        return
    ranking = decision.ranking().indexes
    if decision.because and ranking and decision.tags[ranking[0]] != decision.tag:
        yield f"without that ({decision.because}), {decision.tags[ranking[0]]} would be selected"
    for index in ranking:
        if decision.reasons[index] == Reason.REJECTED:
            yield f"{decision.tags[index]} would be selected if it were not rejected: {decision.words(index)}"
            return


def _of_tags(
    decision: Decision, rule: Rule, excluded: Sequence[str], unscanned: Sequence[str], where: str
) -> Iterator[str]:
    tags = decision.tags
    if unscanned and (tag := _otherwise(decision, rule, [*tags, *unscanned])):
        yield f"the next scan brings {tag}, which would be selected"
    if excluded and (tag := _otherwise(decision, rule, [*tags, *excluded])):
        yield f"without {where}, {tag} would be selected"


def _of_the_range(decision: Decision, rule: Rule) -> Iterator[str]:
    if rule.policy.semver is None:
        return
    text = rule.policy.semver.text
    wider = _BARE_VERSION.sub(lambda match: f"{match.group()}-0", text)
    if decision.count(Reason.PRERELEASE):
        with_prereleases = "*-0" if text.strip() in ("*", "x", "X", "") else wider
        tag = _by_range(decision, rule, with_prereleases)
        if tag:
            yield f"the range {with_prereleases}, which takes prereleases, would select {tag}"
    if decision.count(Reason.OUTSIDE) and (tag := _by_range(decision, rule, "*")):
        yield f"the range * would select {tag}"


def _of_the_filter(decision: Decision, rule: Rule) -> Iterator[str]:
    if not decision.pattern:
        return
    if tag := _otherwise(decision, Rule(rule.policy), decision.tags):
        yield f"without the filter {decision.pattern}, {tag} would be selected"


def _by_range(decision: Decision, rule: Rule, text: str) -> str | None:
    try:
        return _otherwise(decision, Rule(Policy.by_semver(text), rule.tag_filter), decision.tags)
    except InvalidInput:
        return None


def _otherwise(decision: Decision, rule: Rule, tags: Sequence[str]) -> str | None:
    """The tag that another rule or other tags lead to; None where it is the one that the policy itself names now."""
    try:
        tag = select(rule.policy, sorted(tags, reverse=True), rule.tag_filter).tag
    except InvalidInput:
        return None
    return tag if tag != _own_choice(decision) else None


def _own_choice(decision: Decision) -> str | None:
    """What the policy by itself names, whatever was rejected or has overruled it."""
    if not decision.because and not decision.rejections:
        return decision.tag
    ranking = decision.ranking().indexes
    return decision.tags[ranking[0]] if ranking else None
