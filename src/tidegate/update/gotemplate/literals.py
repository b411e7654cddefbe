"""Go's literals in templates: quoted strings, character constants and numbers. Pure."""

from __future__ import annotations

import re

from tidegate.update.gotemplate.nodes import Number
from tidegate.update.gotemplate.values import decode

_ESCAPE = re.compile(
    r"""\\(?:(?P<simple>[abfnrtv\\'"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"""
    r"""|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<bad>.?))""",
    re.DOTALL,
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_INTEGER = re.compile(
    r"(?P<sign>[+-]?)(?:0[xX](?P<hex>_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[bB](?P<binary>_?[01]+(?:_[01]+)*)"
    r"|0[oO]?(?P<octal>_?[0-7]+(?:_[0-7]+)*)|(?P<decimal>0|[1-9][0-9]*(?:_[0-9]+)*|[1-9](?:_?[0-9]+)*))"
)
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
_COMPLEX = re.compile(r"(.+(?<![eEpP]))([+-].+)i")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")


def unquote(text: str) -> str | None:
    """The value of a quoted string (`"…"`, or raw), or None where Go's strconv.Unquote refuses it."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    return _unescape(text[1:-1], "'")


def _unescape(body: str, foreign: str) -> str | None:
    """`foreign` is the quote that must not be escaped here."""
    parts: list[bytes] = []
    position = 0
    for found in _ESCAPE.finditer(body):
        parts.append(body[position : found.start()].encode("utf-8", "surrogateescape"))
        position = found.end()
        value = _escaped(found, foreign)
        if value is None:
            return None
        parts.append(value)
    parts.append(body[position:].encode("utf-8", "surrogateescape"))
    return decode(b"".join(parts))


def _escaped(found: re.Match[str], foreign: str) -> bytes | None:
    simple, point = found["simple"], found["short"] or found["long"]
    if found["bad"] is not None or simple == foreign:
        return None
    if simple:
        return _SIMPLE.get(simple, simple).encode()
    if found["byte"]:
        return bytes([int(found["byte"], 16)])
    if found["octal"]:
        return bytes([int(found["octal"], 8)]) if int(found["octal"], 8) < 256 else None
    code = int(point, 16)
    return chr(code).encode() if code < 0x110000 and not 0xD800 <= code < 0xE000 else None


def read_character(text: str) -> Number | None:
    """A character constant: an integer."""
    value = _unescape(text[1:-1], '"')
    if value is None:
        return None
    data = value.encode("utf-8", "surrogateescape")
    escape = text[1:2] == "\\" and text[2:3] in "x01234567"
    if len(value) != 1 and not (escape and len(data) == 1):
        return None
    code = data[0] if escape else ord(value)
    return Number(text, code, float(code), is_char=True)


def read_number(text: str) -> Number | None:
    """A number as text/template reads one; None for bad syntax or an integer that does not fit."""
    if text.endswith("i"):
        return _read_complex(text)
    integer = parse_integer(text)
    if integer is not None and -(2**63) <= integer < 2**64:
        return Number(text, integer if integer < 2**63 else None, float(integer))
    if not any(char in text for char in ".eEpP"):
        return None
    value = parse_float(text)
    if value is None:
        return None
    whole = int(value) if value.is_integer() and -(2.0**63) <= value < 2.0**63 else None
    return Number(text, whole, value)


def _read_complex(text: str) -> Number | None:
    """`2i`, or `1+2i`: an integer or a float too where its imaginary part is zero."""
    found = _COMPLEX.fullmatch(text)
    parts = [parse_float(part) for part in (found.groups() if found else ("", text[:-1]))]
    real, imaginary = parts if found else [0.0, parts[1]]
    if real is None or imaginary is None:
        return None
    floating = real if imaginary == 0 else None
    whole = int(real) if floating is not None and real.is_integer() and abs(real) < 2.0**63 else None
    return Number(text, whole, floating, complex=complex(real, imaginary))


def parse_integer(text: str) -> int | None:
    """strconv.ParseInt with base 0, without its bounds."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    for name, base in (("hex", 16), ("binary", 2), ("octal", 8), ("decimal", 10)):
        if found[name]:
            return int(f"{found['sign']}{found[name].replace('_', '')}", base)
    return None


def parse_float(text: str) -> float | None:
    """strconv.ParseFloat; None for bad syntax or an overflow."""
    if _FLOAT.fullmatch(text):
        value = float(text)
        return None if value in (float("inf"), float("-inf")) else value
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text)
        except OverflowError:
            return None
    word = text.lower().lstrip("+-")
    if word in ("inf", "infinity", "nan") and len(text) - len(word) <= 1:
        return float(text)
    return None
