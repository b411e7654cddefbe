"""Numbers as Go's strconv.ParseFloat reads them: what `policy.numerical` compares. Pure."""

from __future__ import annotations

import math
import re

_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX_DIGITS = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL = re.compile(rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_HEXADECIMAL = re.compile(
    rf"([+-]?0[xX](?:_?{_HEX_DIGITS}\.?(?:{_HEX_DIGITS})?|\.{_HEX_DIGITS})[pP])([+-]?)({_DIGITS})"
)
_INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_EXPONENT_DIGITS = 9


def parse_number(text: str) -> float | None:
    """The nearest float64; None where the text is no number, or one too large for a float64.

    Decimal and hexadecimal (with a `p` exponent) forms, an underscore between digits or after `0x`, and `inf`,
    `infinity` and an unsigned `nan` in any case.
    """
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return None if math.isinf(number) else number
    if _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    if text.lower() == "nan":
        return math.nan
    if match := _HEXADECIMAL.fullmatch(text):
        return _hexadecimal(*(part.replace("_", "") for part in match.groups()))
    return None


def _hexadecimal(mantissa: str, sign: str, exponent: str) -> float | None:
    try:
        return float.fromhex(f"{mantissa}{sign}{exponent.lstrip('0')[:_EXPONENT_DIGITS] or 0}")
    except OverflowError:
        return None
