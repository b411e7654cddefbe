"""Writes a new value in place of a scalar, in the quotes that it has. Pure.

A plain value that some YAML reader would take for something else than text gets double quotes.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@+\-]|:(?=[A-Za-z0-9_./@+\-]))*")
_WORDS = frozenset({"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan", "=", "<<"})
# Numbers as YAML 1.1, YAML 1.2 and go-yaml read them, and dates: wider than any one of them.
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt].*)?"
)


def write_scalar(value: str, style: str) -> str:
    """`value` as it is written in a style (`''` plain, `'`, `"`, or `|` and `>` for the text of a block)."""
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if style == '"' or (style == "" and not reads_as_text(value)):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value


def reads_as_text(value: str) -> bool:
    """Whether every YAML reader takes the value, written plain, for this text."""
    return _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS and _NUMBER.fullmatch(value) is None
