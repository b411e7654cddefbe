"""What a regular expression can be refused for, in the words of Go's regexp/syntax. Pure."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput

CHAR_RANGE = "invalid character class range"
ESCAPE = "invalid escape sequence"
NAMED_CAPTURE = "invalid named capture"
PERL_SYNTAX = "invalid or unsupported Perl syntax"
REPEAT_OP = "invalid nested repetition operator"
REPEAT_SIZE = "invalid repeat count"
UTF8 = "invalid UTF-8"
MISSING_BRACKET = "missing closing ]"
MISSING_PAREN = "missing closing )"
MISSING_ARGUMENT = "missing argument to repetition operator"
TRAILING_BACKSLASH = "trailing backslash at end of expression"
UNEXPECTED_PAREN = "unexpected )"
NESTING = "expression nests too deeply"
LARGE = "expression too large"

_LONGEST_SHOWN = 200
_LOOKAROUND = (
    "Go's regular expressions have no lookahead or lookbehind: match what is wanted, or leave tags out elsewhere"
)
_REMEDIES = {
    ESCAPE: "Go's regular expressions have no back-references, and no escapes but those of RE2's syntax",
    REPEAT_OP: "put the inner repetition into a group: (?:a*)*",
    REPEAT_SIZE: "a repetition, with those inside it, goes up to 1000",
    MISSING_ARGUMENT: "put a backslash before a character that is meant as itself",
    LARGE: "shorten it, or repeat less",
    NESTING: "nest fewer groups",
}


def refused(reason: str, culprit: str) -> InvalidInput:
    """The error for an expression that Go refuses too; `culprit` is the part of it at fault."""
    shown = culprit if len(culprit) <= _LONGEST_SHOWN else f"{culprit[:_LONGEST_SHOWN]}…"
    remedy = _LOOKAROUND if culprit.startswith(("(?=", "(?!", "(?<=", "(?<!")) else _REMEDIES.get(reason)
    return InvalidInput(f"error parsing regexp: {reason}: `{shown}`", remedy=remedy)
