"""Sprig's arithmetic, with Go's 64-bit integers and shopspring's decimals. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce
from typing import Any

from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.conversions import to_float, to_int, to_text
from tidegate.update.gotemplate.functions import Registry
from tidegate.update.gotemplate.values import Int64, Slice, TemplateError, wrap_int

NUMBERS = Registry()
_DECIMAL = Context(prec=1000)
_DIVISION_PLACES = Decimal("1e-16")


def _int64(value: int) -> Int64:
    return Int64(wrap_int(value))


NUMBERS.add("any", "int")(lambda _, value: to_int(value))
NUMBERS.add("any", "int64")(lambda _, value: Int64(to_int(value)))
NUMBERS.add("any", "float64")(lambda _, value: to_float(value))
NUMBERS.add("any", "add1")(lambda _, value: _int64(to_int(value) + 1))
NUMBERS.add("...any", "add")(lambda _, *values: _int64(sum(map(to_int, values))))
NUMBERS.add("any, any", "sub")(lambda _, one, other: _int64(to_int(one) - to_int(other)))
NUMBERS.add("any", "floor")(lambda _, value: _whole(to_float(value), math.floor))
NUMBERS.add("any", "ceil")(lambda _, value: _whole(to_float(value), math.ceil))
NUMBERS.add("any, ...any", "max", "biggest")(lambda _, *values: Int64(max(map(to_int, values))))
NUMBERS.add("any, ...any", "min")(lambda _, *values: Int64(min(map(to_int, values))))
NUMBERS.add("any, ...any", "maxf")(lambda _, *values: max(map(to_float, values)))
NUMBERS.add("any, ...any", "minf")(lambda _, *values: min(map(to_float, values)))


def _whole(value: float, rounding: Callable[[float], int]) -> float:
    if not math.isfinite(value):
        return value
    return math.copysign(float(rounding(value)), value) if rounding(value) == 0 else float(rounding(value))


@NUMBERS.add("string", "atoi")
def _atoi(_: Budget, text: str) -> int:
    """strconv.Atoi: what does not fit is cut to the nearest that does."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 4000:
        return 0
    return max(-(2**63), min(2**63 - 1, int(text)))


@NUMBERS.add("any, ...any", "mul")
def _mul(_: Budget, first: Any, *others: Any) -> Int64:
    return _int64(reduce(lambda one, other: wrap_int(one * to_int(other)), others, to_int(first)))


@NUMBERS.add("any, any", "div")
def _div(_: Budget, one: Any, other: Any) -> Int64:
    dividend, divisor = to_int(one), to_int(other)
    if divisor == 0:
        raise TemplateError("runtime error: integer divide by zero")
    quotient = abs(dividend) // abs(divisor)
    return _int64(quotient if (dividend < 0) == (divisor < 0) else -quotient)


@NUMBERS.add("any, any", "mod")
def _mod(_: Budget, one: Any, other: Any) -> Int64:
    dividend, divisor = to_int(one), to_int(other)
    if divisor == 0:
        raise TemplateError("runtime error: integer divide by zero")
    rest = abs(dividend) % abs(divisor)
    return _int64(-rest if dividend < 0 else rest)


def _decimals(operation: Callable[[Decimal, Decimal], Decimal], first: Any, others: tuple[Any, ...]) -> float:
    """A decimal has no negative zero."""
    return float(reduce(lambda one, other: operation(one, _decimal(other)), others, _decimal(first))) + 0.0


def _decimal(value: Any) -> Decimal:
    number = to_float(value)
    if not math.isfinite(number):
        raise TemplateError(f"cannot create a decimal from {number}")
    return Decimal(repr(number))


def _divided(one: Decimal, other: Decimal) -> Decimal:
    if other == 0:
        raise TemplateError("decimal division by 0")
    return _DECIMAL.divide(one, other).quantize(_DIVISION_PLACES, ROUND_HALF_UP, _DECIMAL)


NUMBERS.add("any", "add1f")(lambda _, value: _decimals(_DECIMAL.add, value, (1,)))
NUMBERS.add("...any", "addf")(lambda _, *values: _decimals(_DECIMAL.add, 0, values))
NUMBERS.add("any, ...any", "subf")(lambda _, first, *others: _decimals(_DECIMAL.subtract, first, others))
NUMBERS.add("any, ...any", "mulf")(lambda _, first, *others: _decimals(_DECIMAL.multiply, first, others))
NUMBERS.add("any, ...any", "divf")(lambda _, first, *others: _decimals(_divided, first, others))


@NUMBERS.add("any, int, ...float64", "round")
def _round(_: Budget, value: Any, places: int, *threshold: float) -> float:
    number = to_float(value)
    try:
        power = math.pow(10, places)
    except OverflowError:
        power = math.inf
    digit = power * number
    if not math.isfinite(digit):
        return math.nan if math.isnan(digit) or math.isinf(power) else digit / power
    fraction = math.fmod(digit, 1)
    up = fraction >= (threshold[0] if threshold else 0.5)
    rounded = _whole(digit, math.ceil if up else math.floor)
    return rounded / power if power else math.nan


@NUMBERS.add("any", "toDecimal")
def _to_decimal(_: Budget, value: Any) -> Int64:
    text = to_text(value)
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits or not digits.isascii() or set(digits) - set("01234567") or len(digits) > 30:
        return Int64(0)
    number = int(text, 8)
    return Int64(number if -(2**63) <= number < 2**63 else 0)


@NUMBERS.add("int", "until")
def _until(budget: Budget, count: int) -> Slice:
    return _ints(_steps(budget, 0, count, -1 if count < 0 else 1))


@NUMBERS.add("int, int, int", "untilStep")
def _until_step(budget: Budget, start: int, stop: int, step: int) -> Slice:
    return _ints(_steps(budget, start, stop, step))


@NUMBERS.add("...int", "seq")
def _seq(budget: Budget, *parameters: int) -> str:
    if not 1 <= len(parameters) <= 3:
        return ""
    start = 1 if len(parameters) == 1 else parameters[0]
    end = parameters[-1]
    direction = -1 if end < start else 1
    step = parameters[1] if len(parameters) == 3 else direction
    if len(parameters) == 3 and direction < 0 and step > 0:
        return ""
    numbers = _steps(budget, start, end + direction, step)
    return " ".join(map(str, numbers))


def _ints(numbers: range) -> Slice:
    return Slice(list(numbers), "[]int")


def _steps(budget: Budget, start: int, stop: int, step: int) -> range:
    if step == 0 or (stop < start) != (step < 0):
        return range(0)
    numbers = range(start, stop, step)
    budget.reserve((abs(stop - start) // abs(step) + 1) * 32)
    return numbers
