"""How Go writes floating-point numbers. Pure."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal


def shortest(value: float, *, limit: int = 6) -> str:
    """`%v`: the fewest digits that read back the same; with an exponent below 1e-4 and from `limit` digits on."""
    special = _special(value)
    if special:
        return special
    sign, digits, exponent = _shortest_digits(value)
    if exponent < -4 or exponent >= limit:
        return sign + _scientific(digits, exponent, "e")
    return sign + _positional(digits, exponent)


def format_float(value: float, verb: str, precision: int | None, *, plus: bool = False) -> str:
    """`%e`, `%E`, `%f`, `%F`, `%g` or `%G` with a precision, or without one."""
    special = _special(value)
    if special:
        return f"+{special}" if plus and special[0] not in "+-" else special
    lower = verb.lower()
    if lower == "g" and precision is None:
        text = shortest(value)
    elif lower == "g":
        text = _general(value, precision or 1)
    else:
        places = 6 if precision is None else precision
        text = _fixed(value, places) if lower == "f" else _exponential(value, places)
    if plus and not text.startswith("-"):
        text = f"+{text}"
    return text.upper() if verb.isupper() else text


def format_bits(value: float, verb: str) -> str:
    """`%b`, `%x` or `%X`: the bits of the mantissa, and a power of two."""
    special = _special(value)
    if special:
        return special
    if verb == "b":
        mantissa, exponent = math.frexp(abs(value))
        sign = "-" if math.copysign(1, value) < 0 else ""
        return f"{sign}{int(mantissa * 2**53)}p{exponent - 53 if value else -1074:+d}"
    digits, _, power = value.hex().partition("p")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    text = f"{digits}p{'-' if power[0] == '-' else '+'}{int(power[1:]):02d}"
    return text.upper() if verb == "X" else text


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return ""


def _shortest_digits(value: float) -> tuple[str, str, int]:
    """Sign, digits without trailing zeros, and the exponent of the first one."""
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return sign, "0", 0
    return sign, *_digits(Decimal(repr(abs(value))))


def _digits(value: Decimal) -> tuple[str, int]:
    text = "".join(str(digit) for digit in value.as_tuple().digits)
    return text.rstrip("0") or "0", value.adjusted()


def _scientific(digits: str, exponent: int, letter: str) -> str:
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{mantissa}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def _fixed(value: float, places: int) -> str:
    return f"{value:.{places}f}"


def _exponential(value: float, places: int) -> str:
    return f"{value:.{places}e}"


def _general(value: float, precision: int) -> str:
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return f"{sign}0"
    rounded = Decimal(abs(value)).normalize(Context(prec=precision, rounding=ROUND_HALF_EVEN))
    digits, exponent = _digits(rounded)
    # Go takes the number of digits for the precision where that is smaller but still reaches the point.
    limit = len(digits) if precision > len(digits) >= exponent + 1 else precision
    if exponent < -4 or exponent >= limit:
        return sign + _scientific(digits, exponent, "e")
    return sign + _positional(digits, exponent)
