"""Label selectors, as kubectl's `-l` and Flux's `--watch-label-selector` give them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_REQUIREMENT = re.compile(
    r"\s*(?P<absent>!?)\s*(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)"
    r"(?:\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>[-A-Za-z0-9_.]*)|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\s*"
)
Labels = Mapping[str, str]


@frozen
class _Requirement:
    key: str
    holds: Callable[[str | None], bool]


@frozen
class LabelSelector:
    """Requirements that all must hold; without any, everything matches."""

    requirements: tuple[_Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.holds(labels.get(requirement.key)) for requirement in self.requirements)


def parse_labels(text: str) -> LabelSelector:
    """Read `a=b,c!=d,e in (f,g),h,!i`. Raises InvalidInput."""
    requirements, rest = [], text
    while rest.strip():
        found = _REQUIREMENT.match(rest)
        if found is None or (found.end() < len(rest) and rest[found.end()] != ","):
            raise InvalidInput(f"unable to parse the label selector {text!r}")
        requirements.append(_requirement(found, text))
        rest = rest[found.end() + 1 :]
    return LabelSelector(tuple(requirements))


def _requirement(found: re.Match[str], text: str) -> _Requirement:
    key, operator, value = found["key"], found["operator"], found["value"]
    if found["absent"]:
        if operator or found["set"]:
            raise InvalidInput(f"unable to parse the label selector {text!r}")
        return _Requirement(key, lambda label: label is None)
    if found["set"]:
        values = frozenset(part.strip() for part in found["values"].split(","))
        if found["set"] == "in":
            return _Requirement(key, lambda label: label in values)
        return _Requirement(key, lambda label: label not in values)
    match operator:
        case "=" | "==":
            return _Requirement(key, lambda label: label == value)
        case "!=":
            return _Requirement(key, lambda label: label != value)
        case ">" | "<":
            return _Requirement(key, _compares(operator, value, text))
        case _:
            return _Requirement(key, lambda label: label is not None)


def _compares(operator: str, value: str, text: str) -> Callable[[str | None], bool]:
    if not _is_number(value):
        raise InvalidInput(f"the label selector {text!r} compares with {value!r}, which is no whole number")
    limit = int(value)

    def holds(label: str | None) -> bool:
        if label is None or not _is_number(label):
            return False
        return int(label) > limit if operator == ">" else int(label) < limit

    return holds


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,18}", text) is not None
