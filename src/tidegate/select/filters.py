"""Leaves out tags before a policy orders them, and takes from the others what it orders: `spec.filterTags`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.base.frozen import frozen
from tidegate.base.regexp.expand import expander
from tidegate.base.regexp.matcher import AnyOf, compiled
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.select.decision import Reason

Extract = Callable[[str, Sequence[int]], str]


@frozen
class Filtered:
    """The values to order, in the order of the tags; for each the index of its tag; and for each tag a reason, where it
    was left out (else LOWER).
    """

    values: list[str]
    indexes: list[int]
    reasons: bytearray


class TagFilter:
    """Which tags count, and as what. Without an `extract` (or with an empty one) a tag counts as itself."""

    def __init__(
        self,
        pattern: str | None = None,
        extract: str | None = None,
        exclude: Sequence[str] = (),
        *,
        fields: tuple[str, str] = ("filter", "exclude"),
    ):
        """InvalidInput names the field (of `fields`) whose regular expression is none."""
        self.pattern = pattern or ""
        self.template = extract or ""
        self._expression = compiled(self.pattern, field=fields[0]) if pattern or extract else None
        self._extract: Extract | None = None
        if extract and self._expression:
            self._extract = expander(extract, self._expression)
        self._excluded = AnyOf(exclude, field=fields[1]) if exclude else None

    @classmethod
    def of(cls, spec: ImagePolicy) -> TagFilter | None:
        """The filter of an ImagePolicy; None where it has none."""
        if not (spec.filter_pattern or spec.filter_extract):
            return None
        return cls(spec.filter_pattern, spec.filter_extract, fields=("spec.filterTags.pattern", ""))

    @property
    def steps(self) -> int:
        """The work that the regular expressions have done so far."""
        pattern = self._expression.steps if self._expression else 0
        return pattern + (self._excluded.steps if self._excluded else 0)

    def extracted(self, tags: Sequence[str]) -> list[tuple[str, str]]:
        """What each tag that matches comes to, with the tag: pairs (value, tag) in the order of the tags."""
        filtered = self.apply(tags, once=False)
        return [(value, tags[index]) for value, index in zip(filtered.values, filtered.indexes, strict=True)]

    def apply(self, tags: Sequence[str], *, once: bool = True) -> Filtered:
        """The values to order. `once`: of several tags with the same value the last one stands for it, as in Flux."""
        reasons = bytearray([Reason.LOWER]) * len(tags)
        values = self._values(tags, reasons)
        if once and self._extract is not None:
            values = _last_of_each(values, reasons)
        return Filtered([value for _, value in values], [index for index, _ in values], reasons)

    def _values(self, tags: Sequence[str], reasons: bytearray) -> list[tuple[int, str]]:
        excluded = self._excluded.test() if self._excluded else None
        values: list[tuple[int, str]] = []
        for index, tag in enumerate(tags):
            if excluded is not None and excluded(tag):
                reasons[index] = Reason.EXCLUDED
            elif (value := self._value(tag)) is None:
                reasons[index] = Reason.FILTERED
            else:
                values.append((index, value))
        return values

    def _value(self, tag: str) -> str | None:
        if self._expression is None:
            return tag
        if self._extract is None:
            return tag if self._expression.matches(tag) else None
        groups = self._expression.find(tag)
        return self._extract(tag, groups) if groups else None


def _last_of_each(values: list[tuple[int, str]], reasons: bytearray) -> list[tuple[int, str]]:
    standing: dict[str, int] = {}
    for index, value in values:
        before = standing.pop(value, None)
        if before is not None:
            reasons[before] = Reason.REPEATED
        standing[value] = index
    return [(index, value) for value, index in standing.items()]
