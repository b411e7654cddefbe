"""Regular expressions that people write in kustomizations, kept to those that cannot hang. Pure.

Go's engine takes linear time for any expression, Python's does not: what could take longer is refused.
"""

from __future__ import annotations

import functools
import re

from tidegate.base.errors import InvalidInput

LONGEST = 500
MOST_REPEATS = 3
_QUANTIFIED_GROUP = re.compile(r"\)(?:[*+{])")
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{[0-9]*,[0-9]*\})")
_FOREIGN = re.compile(r"\(\?(?![:i])|\\[1-9AZzpPQEC]|\[\[:")


@functools.lru_cache(maxsize=256)
def pattern(text: str) -> re.Pattern[str]:
    """A compiled expression; InvalidInput where it is none or might take long."""
    hard = _QUANTIFIED_GROUP.search(text) or _FOREIGN.search(text) or len(_UNBOUNDED.findall(text)) > MOST_REPEATS
    if hard or len(text) > LONGEST:
        raise InvalidInput(
            f"the regular expression {text[:80]!r} is too complex",
            remedy="use at most three of * and +, none of them on a group",
        )
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise InvalidInput(f"{text!r} is no regular expression: {error}") from None


def matches_whole(text: str, value: str) -> bool:
    """Whether the expression matches all of `value`."""
    return pattern(text).fullmatch(value) is not None


def matches_somewhere(text: str, value: str) -> bool:
    """Whether the expression matches a part of `value`."""
    return pattern(text).search(value) is not None
