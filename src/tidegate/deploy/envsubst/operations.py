"""What the operators of an expansion make of a variable's value, as fluxcd/pkg/envsubst does. Pure.

Values are bytes, since offsets and lengths count bytes and may cut a character in two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.letters import lower, lower_char, upper, upper_char
from tidegate.deploy.envsubst.patterns import remove_prefix, remove_suffix
from tidegate.deploy.envsubst.syntax import DEFAULTS

LONGEST_VALUE = 4 * 1024 * 1024
_INT = re.compile(rb"[+-]?[0-9]+")
_LARGEST_INT = 2**63
_LONGEST_INT = 40

Words = Sequence[bytes]


def apply(operator: str, value: bytes, words: Words) -> bytes:
    """The value that `${name` with an operator and its words stands for. An operator that is none changes nothing.

    Raises InvalidInput for a length below zero, LimitExceeded where a value grows too long.
    """
    if operator in DEFAULTS:
        return value or b"".join(words)
    if operator == "#" and not words:
        return str(len(value)).encode()
    operation = _OPERATIONS.get(operator)
    return operation(value, words) if operation else value


def _substring(value: bytes, words: Words) -> bytes:
    start = _integer(words[0])
    if start is None:
        return value
    if start < 0:
        start = max(0, len(value) + start)
    if len(words) == 1:
        return value[start:]
    length = _integer(words[1])
    if length is None:
        return value
    end = start + length
    if end >= _LARGEST_INT or (length < 0 and end < len(value)):
        raise InvalidInput(f"a substring's length can't be {length}", remedy="give a length of 0 or more")
    return value[start:end]


def _integer(word: bytes) -> int | None:
    """strconv.Atoi, on 64 bits."""
    if _INT.fullmatch(word) is None or len(word.lstrip(b"+-0")) > _LONGEST_INT:
        return None
    number = int(word)
    return number if -_LARGEST_INT <= number < _LARGEST_INT else None


def _replace_first(value: bytes, words: Words) -> bytes:
    return value.replace(words[0], b"".join(words[1:]), 1)


def _replace_all(value: bytes, words: Words) -> bytes:
    old, new = words[0], b"".join(words[1:])
    count = value.count(old) if old else len(value) + 1
    if len(value) + count * (len(new) - len(old)) > LONGEST_VALUE:
        raise LimitExceeded(f"a substitution makes more than {LONGEST_VALUE} bytes")
    if old:
        return value.replace(old, new)
    return _encode(_decode(value).replace("", _decode(new)))


def _replace_prefix(value: bytes, words: Words) -> bytes:
    matched = len(words) > 1 and value.startswith(words[0])
    return words[1] + value[len(words[0]) :] if matched else value


def _replace_suffix(value: bytes, words: Words) -> bytes:
    matched = len(words) > 1 and value.endswith(words[0])
    return value[: len(value) - len(words[0])] + words[1] if matched else value


def _first(change: Callable[[str], str]) -> Callable[[bytes, Words], bytes]:
    def changed(value: bytes, _: Words) -> bytes:
        text = _decode(value)
        return _encode(_whole(change(_whole(text[:1]))) + text[1:])

    return changed


def _all(change: Callable[[str], str]) -> Callable[[bytes, Words], bytes]:
    return lambda value, _: change(_whole(_decode(value))).encode()


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _whole(text: str) -> str:
    """With U+FFFD for each byte that is no character."""
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)


_OPERATIONS: dict[str, Callable[[bytes, Words], bytes]] = {
    ",": _first(lower_char),
    ",,": _all(lower),
    "^": _first(upper_char),
    "^^": _all(upper),
    "#": lambda value, words: remove_prefix(value, words[0], longest=False),
    "##": lambda value, words: remove_prefix(value, words[0], longest=True),
    "%": lambda value, words: remove_suffix(value, words[0], longest=False),
    "%%": lambda value, words: remove_suffix(value, words[0], longest=True),
    ":": _substring,
    "/": _replace_first,
    "//": _replace_all,
    "/#": _replace_prefix,
    "/%": _replace_suffix,
}
