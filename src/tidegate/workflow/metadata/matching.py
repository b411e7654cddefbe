"""`type=match`: a JavaScript regular expression on a tag's name, kept to what cannot run away."""

from __future__ import annotations

import re

from tidegate.base.errors import InvalidInput, LimitExceeded

_LONGEST = 256
_MOST_STEPS = 5_000_000
_DELIMITED = re.compile(r"/(.+)/(.*)", re.DOTALL)
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "u": re.NOFLAG}
_PIECE = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:<?[=!]|:|<\w+>))?|[)|]|[*+]|\{\d+(?:,\d*)?\}|\?|.", re.DOTALL)


def match_group(pattern: str, text: str, group: int) -> str | None:
    """The text of a group of the first match; None where nothing matches or there is no such group.

    `/pattern/flags` or a bare pattern. Raises InvalidInput for a pattern that is wrong or that repeats a repetition,
    LimitExceeded where it could take too many steps.
    """
    delimited = _DELIMITED.fullmatch(pattern)
    body, letters = (delimited[1], delimited[2]) if delimited else (pattern, "")
    if unknown := [letter for letter in letters if letter not in _FLAGS]:
        raise InvalidInput(f"the pattern {pattern!r} has an unknown flag {unknown[0]!r}", remedy="known: i, m, s, u")
    _check(body, text)
    flags = re.ASCII
    for letter in letters:
        flags |= _FLAGS[letter]
    try:
        found = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", body), flags).search(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidInput(f"the pattern {pattern!r} is no regular expression: {error}") from error
    if found is None or group > (found.re.groups or 0):
        return None
    answer = found.group(group)
    return answer if isinstance(answer, str) else None


def _check(body: str, text: str) -> None:
    """Repetitions inside a repeated group take exponential time, others one factor each."""
    if len(body) > _LONGEST or len(text) > _LONGEST:
        raise LimitExceeded(f"a pattern and its value may have {_LONGEST} characters")
    repeats = 1
    open_groups = [False]
    last_group_varies = False
    for piece in _PIECE.findall(body):
        if piece in "*+" or piece.startswith("{"):
            if last_group_varies:
                raise InvalidInput(f"the pattern {body!r} repeats a group that itself varies", remedy="repeat one item")
            repeats += 1
            open_groups[-1] = True
        elif piece in "?|":
            open_groups[-1] = True
        last_group_varies = False
        if piece.startswith("("):
            open_groups.append(False)
        elif piece == ")" and len(open_groups) > 1:
            last_group_varies = open_groups.pop()
            open_groups[-1] = open_groups[-1] or last_group_varies
        elif re.fullmatch(r"\\[1-9k]", piece):
            raise InvalidInput(f"the pattern {body!r} refers back to a group, which is not supported")
    if (len(text) + 1) ** repeats > _MOST_STEPS:
        raise LimitExceeded(f"the pattern {body!r} repeats too much for a value of {len(text)} characters")
