"""Quantities as Kubernetes writes them: `500m`, `1.5`, `64Mi`, `10G`. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
}
_UNITS |= {unit: Fraction(1000**power) for power, unit in enumerate("MGTPE", 2)}
_UNITS |= {f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", 1)}
_FORM = re.compile(
    r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:([numkMGTPE]|[KMGTPE]i)?|[eE]([+-]?[0-9]{1,2}))", re.ASCII
)


def parse(value: object) -> Fraction | None:
    """What a quantity comes to; None where it is none. Plain numbers are quantities too; negative ones are not."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    found = _FORM.fullmatch(str(value))
    if found is None:
        return None
    number, unit, exponent = found.groups()
    return Fraction(number) * (Fraction(10) ** int(exponent) if exponent else _UNITS[unit or ""])


def whole(value: object) -> int | None:
    """A quantity of things that are counted, bytes or processes, rounded up; None where it is no quantity."""
    found = parse(value)
    return None if found is None else -(-found.numerator // found.denominator)


def shown(count: int) -> str:
    """Bytes as a quantity, as short as it is exact: `512Mi`."""
    for power, unit in reversed(list(enumerate("KMGTPE", 1))):
        if count and count % 1024**power == 0:
            return f"{count // 1024**power}{unit}i"
    return str(count)
