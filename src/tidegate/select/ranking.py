"""The whole order of a policy, for those who need more than the winner: which comes next if that one may not be. Pure.

It is Flux's rule applied again and again, each time to what is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tidegate.kinds.semver import parse_tag
from tidegate.select.decision import QUALIFIED, Ranking
from tidegate.select.numbers import parse_number


def ranked(kind: str, values: Sequence[str], indexes: Sequence[int], reasons: Sequence[int]) -> Ranking:
    """Those of `values` that qualify, from the best down. `kind` is `semver`, or an order as in `numerical asc`;
    `indexes` has for each value the index of its tag, and `reasons` a Reason for each tag.

    Of equal versions and equal texts the first comes first, of equal numbers the last.
    """
    places = [place for place, index in enumerate(indexes) if reasons[index] in QUALIFIED]
    qualified = [values[place] for place in places]
    keys, ascending = _keys(kind, qualified)
    order = list(range(len(places)))
    if kind.startswith("numerical"):
        order.reverse()
    order.sort(key=keys.__getitem__, reverse=ascending)
    return Ranking([indexes[places[at]] for at in order], _groups([keys[at] for at in order]))


def _keys(kind: str, values: Sequence[str]) -> tuple[Sequence[Any], bool]:
    """What to sort by, and whether the largest is the best."""
    if kind == "semver":
        return [parse_tag(value) for value in values], True
    if kind.startswith("alphabetical"):
        return values, kind.endswith("asc")
    return _number_keys(kind, values), True


def _number_keys(kind: str, values: Sequence[str]) -> list[tuple[int, bool, float]]:
    """A NaN beats all numbers before it and is beaten by whatever comes after it."""
    keys, since, sign = [], 0, 1.0 if kind.endswith("asc") else -1.0
    for value in values:
        number = parse_number(value)
        if number is None or math.isnan(number):
            since += 1
            keys.append((since, False, 0.0))
        else:
            keys.append((since, True, sign * number))
    return keys


def _groups(keys: Sequence[Any]) -> list[int]:
    groups = [0] if keys else []
    for before, key in pairwise(keys):
        groups.append(groups[-1] + (key != before))
    return groups
