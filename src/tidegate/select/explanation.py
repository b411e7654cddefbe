"""A decision told to people: the rule, the counts, the winner, the nearest losers, what would change the answer. Pure.

It is made where the decision is (in the controller, or in a command that has listed the tags itself) and crosses to
whoever asked as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, field
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.select.advice import Rule, advice
from tidegate.select.decision import QUALIFIED, Decision, Reason
from tidegate.select.nearest import nearest_losers

_WORDS = {
    Reason.EXCLUDED: ("excluded", "excluded"),
    Reason.FILTERED: ("not matched by the filter", "not matched by the filter"),
    Reason.REPEATED: ("repeated by a later one", "repeated by later ones"),
    Reason.NO_VERSION: ("not a version", "not versions"),
    Reason.OUTSIDE: ("outside {}", "outside {}"),
    Reason.PRERELEASE: ("prerelease", "prereleases"),
    Reason.REJECTED: ("rejected", "rejected"),
    Reason.UNASKED: ("not looked at", "not looked at"),
    Reason.OVERRULED: ("passed over", "passed over"),
}


@frozen
class Listed:
    """What the registry has besides the tags that a decision was made of: those that the scan leaves out, and those
    that no scan has brought yet. `exclusions` are the patterns that leave out, and `where` says whose they are.
    """

    excluded: Sequence[str] = ()
    unscanned: Sequence[str] = ()
    exclusions: Sequence[str] = ()
    where: str = "spec.exclusionList"


@frozen
class Explanation:
    """What people are told. `counts` has the words and the number of each lot of tags; `asked` answers for tags that
    were asked about by name. `problem` says why there is no decision at all.
    """

    image: str = ""
    rule: str = ""
    filter: str = ""
    extract: str = ""
    total: int = 0
    counts: Sequence[tuple[str, int]] = ()
    selected: str | None = None
    because: str = ""
    present: str | None = None
    previous: str | None = None
    losers: Sequence[tuple[str, str]] = ()
    asked: Sequence[tuple[str, str]] = ()
    advice: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)
    problem: str | None = None

    def summary(self) -> str:
        """`312 tags: 5 excluded, 41 not versions, 260 outside >=1.0.0 <2, 6 candidates`."""
        parts = ", ".join(f"{number} {words}" for words, number in self.counts)
        return f"{self.total} tag{'' if self.total == 1 else 's'}{f': {parts}' if parts else ''}"

    def as_json(self) -> dict[str, Any]:
        """For programs, and for the way to the command that asked."""
        value = asdict(self) | {"summary": self.summary()}
        value["counts"] = [{"words": words, "tags": number} for words, number in self.counts]
        for name in ("losers", "asked"):
            value[name] = [{"tag": tag, "reason": reason} for tag, reason in value[name]]
        return value


def explained(decision: Decision, rule: Rule, listed: Listed, asked: Iterable[str] = ()) -> Explanation:
    """The explanation of a decision that was made by `rule`; `asked` are tags that somebody wants to know about.

    Takes a few times as long as the decision itself, since it decides again what would be if something were otherwise.
    """
    return Explanation(
        rule=decision.policy,
        filter=decision.pattern,
        extract=rule.tag_filter.template if rule.tag_filter else "",
        total=len(decision.tags) + len(listed.excluded) + len(listed.unscanned),
        counts=counts(decision, listed),
        selected=decision.tag,
        because=decision.because,
        losers=nearest_losers(decision, rule),
        asked=[(tag, _about(tag, decision, listed)) for tag in asked],
        advice=advice(decision, rule, excluded=listed.excluded, unscanned=listed.unscanned, where=listed.where),
    )


def counts(decision: Decision, listed: Listed | None = None) -> list[tuple[str, int]]:
    """How many tags there are of each lot, in the order in which they are left out; the candidates last."""
    numbers = {reason: decision.count(reason) for reason in _WORDS}
    if listed is not None:
        numbers[Reason.EXCLUDED] += len(listed.excluded)
    found = [
        (_WORDS[reason][number != 1].format(decision.range_text), number)
        for reason, number in numbers.items()
        if number
    ]
    if listed is not None and listed.unscanned:
        found.append(("not scanned yet", len(listed.unscanned)))
    candidates = sum(decision.count(reason) for reason in QUALIFIED)
    return [*found, ("candidate" if candidates == 1 else "candidates", candidates)] if decision.tags else found


def _about(tag: str, decision: Decision, listed: Listed) -> str:
    if tag == decision.tag:
        return "selected"
    if tag in listed.excluded:
        return f"excluded by {listed.where}"
    if tag in listed.unscanned:
        return "in the registry, but not scanned yet"
    return decision.why_not(tag) or "there is no such tag"
