"""Numbers as JavaScript reads and writes them (ECMA-262 StringToNumber, Number::toString, toFixed)."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal

_SPACES = "".join(map(chr, range(0x2000, 0x200B)))
WHITESPACE = f"\t\n\v\f\r \u00a0\u1680{_SPACES}\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript calls white space."""
_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)", re.ASCII)
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", re.ASCII)
_LONGEST = 100_000
_ENOUGH = Context(prec=60)


def number_of_text(text: str) -> float:
    """The number that a text spells, NaN where it spells none; blank is 0."""
    body = text.strip(WHITESPACE)
    if not body:
        return 0.0
    if len(body) > _LONGEST:
        return math.nan
    if _RADIX.fullmatch(body):
        return _float(_integer(body))
    if _DECIMAL.fullmatch(body):
        return float(body)
    return math.nan


def _integer(body: str) -> int:
    """The radix is a power of two, so that this takes linear time."""
    return int(body[2:], {"x": 16, "o": 8, "b": 2}[body[1].lower()])


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def javascript_text(value: float) -> str:
    """Number::toString: the shortest digits that read back as the same number, exponents beyond 21 digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign, digits, point = _shortest(value)
    count = len(digits)
    if count <= point <= 21:
        body = digits + "0" * (point - count)
    elif 0 < point <= 21:
        body = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
        body = f"{mantissa}e{point - 1:+d}"
    return sign + body


def _shortest(value: float) -> tuple[str, str, int]:
    """Sign, digits without trailing zeros, and where the decimal point stands relative to the first digit."""
    negative, raw, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, raw)).lstrip("0")
    return ("-" if negative else ""), digits.rstrip("0"), len(digits) + exponent


def expression_text(value: float) -> str:
    """A number inside a string: at most 15 decimals, then as JavaScript writes it."""
    if math.isnan(value) or math.isinf(value) or abs(value) >= 1e21:
        return javascript_text(value)
    rounded = Decimal(value).quantize(Decimal("1e-15"), rounding=ROUND_HALF_UP, context=_ENOUGH)
    return javascript_text(float(rounded))
