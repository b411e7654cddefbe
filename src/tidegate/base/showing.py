"""Words of others (names of files, what a remote says) as a status, an event or a terminal can show them. Pure."""

from __future__ import annotations

import re

# Controls, which a terminal would obey, text that turns round, and halves of characters, which no UTF-8 can hold: a
# file's name that is none has them. Tabs and line breaks stay.
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)", re.DOTALL)


def without_escapes(text: str) -> str:
    """The text without what a terminal takes as orders: colours, titles."""
    return _ESCAPES.sub("", text)


def showable(text: str, limit: int) -> str:
    """The text with `�` for what can't be shown, and of a longer one than `limit` characters the beginning."""
    found = _UNSHOWABLE.sub("\ufffd", text[:limit])
    return found if len(text) <= limit else f"{found[: limit - 1]}…"
