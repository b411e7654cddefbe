"""Templates of Go's `Regexp.Expand`: `$1`, `${name}`, `$$`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.base.regexp.expression import Regexp
from tidegate.base.regexp.unicode import is_word_of_names

Piece = str | tuple[int, ...]
_MOST_DIGITS = 9


def expander(template: str, regexp: Regexp) -> Callable[[str, Sequence[int]], str]:
    """What makes the template's text from a text and where the groups of `regexp` are in it.

    A name is as many letters, digits and underscores as there are; `$1x` is the group named `1x`, not the first one.
    A group that there is not, or that took no part, is nothing; of several groups of one name the first that took part
    counts. A `$` before anything else is itself.
    """
    pieces = [piece if isinstance(piece, str) else _groups(piece[0], regexp.names) for piece in _pieces(template)]
    if len(pieces) == 1 and isinstance(pieces[0], tuple):
        alone = pieces[0]
        return lambda text, slots: _value(alone, text, slots)
    return lambda text, slots: "".join(
        [piece if isinstance(piece, str) else _value(piece, text, slots) for piece in pieces]
    )


def _value(groups: Sequence[int], text: str, slots: Sequence[int]) -> str:
    for group in groups:
        start = slots[2 * group]
        if start >= 0:
            return text[start : slots[2 * group + 1]]
    return ""


def _groups(name: str, names: Sequence[str]) -> tuple[int, ...]:
    number = _number(name)
    if number is not None:
        return (number,) if number < len(names) else ()
    return tuple(group for group, other in enumerate(names) if other == name)


def _number(name: str) -> int | None:
    """The number that a name is: digits without a zero before them, and not endlessly many."""
    if not (name.isascii() and name.isdecimal()) or (name[0] == "0" and len(name) > 1):
        return None
    return int(name) if len(name) <= _MOST_DIGITS else None


def _pieces(template: str) -> list[str | tuple[str]]:
    """The text and the names (in tuples) of a template, in order."""
    pieces: list[str | tuple[str]] = []
    start = 0
    while (at := template.find("$", start)) >= 0:
        pieces.append(template[start:at])
        name, end = _name(template, at + 1)
        pieces.append((name,) if name else "$")
        start = end
    pieces.append(template[start:])
    return [piece for piece in pieces if piece]


def _name(template: str, at: int) -> tuple[str, int]:
    """The name after a `$`, and where it ends. Without one, the `$` is text; a second one belongs to it."""
    if template.startswith("$", at):
        return "", at + 1
    begin = at + template.startswith("{", at)
    end = begin
    while end < len(template) and is_word_of_names(template[end]):
        end += 1
    if begin == at:
        return template[begin:end], end
    return (template[begin:end], end + 1) if end > begin and template.startswith("}", end) else ("", at)
