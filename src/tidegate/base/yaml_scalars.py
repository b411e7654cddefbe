"""What an untyped YAML scalar means, in each of the three dialects that our files are written in. Pure."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import datetime
from enum import StrEnum

Scalar = str | int | float | bool | None


class Schema(StrEnum):
    """Whose reading of untyped scalars applies.

    KUBERNETES: sigs.k8s.io/yaml, as kubectl and the controllers read: YAML 1.1's booleans (`yes`, `on`, `n`), octal
    `0777`, underscores in numbers; dates stay text. KUSTOMIZE: as kustomize reads: only true and false are booleans,
    a date becomes RFC 3339 text. YAML_1_2: the core schema of YAML 1.2, for workflows.
    """

    KUBERNETES = "kubernetes"
    KUSTOMIZE = "kustomize"
    YAML_1_2 = "yaml-1.2"


class NotRepresentable(ValueError):
    """The scalar's tag does not fit its text, or its value cannot be written as JSON."""


_PREFIX = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_BOOLEANS = _BOOLEANS | {
    spelling: value
    for value, words in ((True, ("y", "yes", "on")), (False, ("n", "no", "off")))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
_INFINITIES = {
    sign + word: -math.inf if sign == "-" else math.inf for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")
}
_SPECIAL = _INFINITIES | dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_GO_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_GO_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)", re.ASCII)
_CORE_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_CORE_DIGITS = 4000
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:[Tt](\d\d?):(\d\d?):(\d\d?)(\.\d+)?(Z|[-+]\d\d:\d\d)|[ ](\d\d?):(\d\d?):(\d\d?)(\.\d+)?)?",
    re.ASCII,
)
_NUMBER_START = frozenset("+-.0123456789")


def resolve(text: str, tag: str | None, schema: Schema, *, plain: bool) -> Scalar:
    """The value of a scalar with this content, tag and style. Raises NotRepresentable."""
    if tag is None or (tag == "!" and schema is Schema.KUSTOMIZE):
        return untyped(text, schema) if plain else text
    if not tag.startswith(_PREFIX):
        return text
    return _tagged(text, tag.removeprefix(_PREFIX), schema)


def untyped(text: str, schema: Schema) -> Scalar:
    """The value of a plain scalar without a tag. Raises NotRepresentable for infinities outside YAML 1.2."""
    if text in _NULLS:
        return None
    booleans = _OLD_BOOLEANS if schema is Schema.KUBERNETES else _BOOLEANS
    if text in booleans:
        return booleans[text]
    if text[0] not in _NUMBER_START:
        return text
    if text in _SPECIAL:
        if schema is Schema.YAML_1_2:
            return _SPECIAL[text]
        raise NotRepresentable(f"{text} has no form in JSON")
    number = _core_number(text) if schema is Schema.YAML_1_2 else _go_number(text)
    if number is not None:
        return number
    return _timestamp(text) if schema is Schema.KUSTOMIZE else text


def _tagged(text: str, kind: str, schema: Schema) -> Scalar:
    if kind == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise NotRepresentable("!!binary is not followed by base64") from None
    if kind not in ("null", "bool", "int", "float"):
        return text
    value = untyped(text, schema)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if not fits[kind]:
        raise NotRepresentable(f"{text!r} is no {kind}")
    if kind == "float" and schema is Schema.YAML_1_2 and isinstance(value, int):
        return float(value)
    return value


def _go_number(text: str) -> int | float | None:
    """As go-yaml: underscores are ignored, integers hold 64 bits, larger decimal ones are floats. A float without a
    fraction is an integer, as it is once it went through JSON.
    """
    digits = text if text[0] == "." else text.replace("_", "")
    if _GO_INT.fullmatch(digits):
        value = _go_int(digits)
        if -(2**63) <= value < 2**64:
            return value
    if _GO_FLOAT.fullmatch(digits):
        number = float(digits)
        if math.isinf(number):
            return None
        return int(number) if number.is_integer() and -(2**63) <= number < 2**63 else number
    return None


def _go_int(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    body = digits.lstrip("+-").lower()
    if len(body) > 1 and body[0] == "0":
        base = {"x": 16, "b": 2}.get(body[1], 8)
        return sign * int(body[2:] if body[1] in "xbo" else body, base)
    return sign * (int(body) if len(body) <= 20 else 2**64)


def _core_number(text: str) -> int | float | None:
    if _CORE_INT.fullmatch(text) and len(text) <= _CORE_DIGITS:
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    return float(text) if _GO_FLOAT.fullmatch(text) else None


def _timestamp(text: str) -> str:
    """A date as RFC 3339 text, as time.Time is written in JSON; other text as it is."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return text
    parts = match.groups()
    clock = parts[3:7] if parts[3] else parts[8:12]
    try:
        moment = datetime(*(int(part or 0) for part in (*parts[:3], *clock[:3])))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return text
    digits = (clock[3] or "")[:10].rstrip("0").rstrip(".")
    zone = parts[7] or "Z"
    return f"{moment.isoformat()}{digits}{'Z' if zone.endswith('00:00') else zone}"
