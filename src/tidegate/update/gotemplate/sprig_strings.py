"""Sprig's functions on strings, as masterminds/sprig 3.3 has them; lengths are bytes where Go counts bytes. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import posixpath
import re
import zlib
from typing import Any

from tidegate.base.letters import lower, upper
from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.casing import camel_case, snake_case, swap_case, title, to_lower_first
from tidegate.update.gotemplate.conversions import to_text, to_texts
from tidegate.update.gotemplate.formatting import quote, text_of
from tidegate.update.gotemplate.functions import Registry
from tidegate.update.gotemplate.values import STRING_MAP, Map, Slice, TemplateError, decode, encode, strings

STRINGS = Registry()
SPACE = " \t\n\v\f\r\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_BYTE_SPACE = frozenset(b"\t\n\v\f\r \x85\xa0")


@STRINGS.add("", "hello")
def _hello(_: Budget) -> str:
    return "Hello!"


@STRINGS.add("string", "trim")
def _trim(_: Budget, text: str) -> str:
    return text.strip(SPACE)


STRINGS.add("string", "upper")(lambda _, text: upper(text))
STRINGS.add("string", "lower")(lambda _, text: lower(text))
STRINGS.add("string", "title")(lambda _, text: title(text))
STRINGS.add("string", "untitle")(lambda _, text: to_lower_first(text))
STRINGS.add("string", "swapcase")(lambda _, text: swap_case(text))
STRINGS.add("string", "snakecase")(lambda _, text: snake_case(text, "_"))
STRINGS.add("string", "kebabcase")(lambda _, text: snake_case(text, "-"))
STRINGS.add("string", "camelcase")(lambda _, text: camel_case(text))
STRINGS.add("string, string", "trimAll", "trimall")(lambda _, cut, text: text.strip(cut) if cut else text)
STRINGS.add("string, string", "trimSuffix")(lambda _, cut, text: text.removesuffix(cut))
STRINGS.add("string, string", "trimPrefix")(lambda _, cut, text: text.removeprefix(cut))
STRINGS.add("string, string", "contains")(lambda _, part, text: part in text)
STRINGS.add("string, string", "hasPrefix")(lambda _, part, text: text.startswith(part))
STRINGS.add("string, string", "hasSuffix")(lambda _, part, text: text.endswith(part))
STRINGS.add("any", "toString")(lambda _, value: to_text(value))
STRINGS.add("any", "toStrings")(lambda _, value: strings(to_texts(value)))
STRINGS.add("string, string, int", "plural")(lambda _, one, many, count: one if count == 1 else many)


@STRINGS.add("int, string", "repeat")
def _repeat(budget: Budget, count: int, text: str) -> str:
    if count < 0:
        raise TemplateError("strings: negative Repeat count")
    budget.reserve(count * len(text))
    return text * count


@STRINGS.add("string, string, string", "replace")
def _replace(budget: Budget, old: str, new: str, text: str) -> str:
    budget.reserve((text.count(old) + 1) * len(new))
    return text.replace(old, new)


@STRINGS.add("int, string", "trunc")
def _trunc(_: Budget, count: int, text: str) -> str:
    data = encode(text)
    if count < 0 and len(data) + count > 0:
        return decode(data[len(data) + count :])
    return decode(data[:count]) if 0 <= count < len(data) else text


@STRINGS.add("int, int, string", "substr")
def _substr(_: Budget, start: int, end: int, text: str) -> str:
    data = encode(text)
    if start < 0:
        return decode(_cut(data, 0, end))
    return decode(_cut(data, start, len(data) if end < 0 or end > len(data) else end))


def _cut(data: bytes, start: int, end: int) -> bytes:
    if not 0 <= start <= end <= len(data):
        raise TemplateError(f"slice bounds out of range [{start}:{end}] with length {len(data)}")
    return data[start:end]


@STRINGS.add("string", "nospace")
def _nospace(_: Budget, text: str) -> str:
    return _by_bytes(text, lambda byte, _: byte not in _BYTE_SPACE)


@STRINGS.add("string", "initials")
def _initials(_: Budget, text: str) -> str:
    """The first byte of each word, and each byte is taken for a character."""
    if not text:
        return text
    data = encode(text)
    starts = [
        byte for at, byte in enumerate(data) if byte not in _BYTE_SPACE and (at == 0 or data[at - 1] in _BYTE_SPACE)
    ]
    return bytes(starts).decode("latin-1")


def _by_bytes(text: str, keep: Any) -> str:
    """Go's goutils takes each byte for a character; where nothing is left out, the text stays as it was."""
    data = encode(text)
    kept = bytes(byte for at, byte in enumerate(data) if keep(byte, at))
    return text if len(kept) == len(data) else kept.decode("latin-1")


@STRINGS.add("int, string", "abbrev")
def _abbrev(_: Budget, width: int, text: str) -> str:
    return text if width < 4 else decode(_abbreviate(encode(text), 0, width))


@STRINGS.add("int, int, string", "abbrevboth")
def _abbrevboth(_: Budget, left: int, right: int, text: str) -> str:
    if right < 4 or (left > 0 and right < 7):
        return text
    return decode(_abbreviate(encode(text), left, right))


def _abbreviate(data: bytes, offset: int, width: int) -> bytes:
    if not data or width < 4:
        return b""
    if len(data) <= width:
        return data
    offset = min(offset, len(data))
    if len(data) - offset < width - 3:
        offset = len(data) - (width - 3)
    if offset <= 4:
        return data[: width - 3] + b"..."
    if width < 7:
        return b""
    if offset + width - 3 < len(data):
        return b"..." + _abbreviate(data[offset:], 0, width - 3)
    return b"..." + data[len(data) - (width - 3) :]


@STRINGS.add("int, string", "wrap")
def _wrap(budget: Budget, width: int, text: str) -> str:
    return _wrapped(budget, text, width, "\n", long_words=False)


@STRINGS.add("int, string, string", "wrapWith")
def _wrap_with(budget: Budget, width: int, separator: str, text: str) -> str:
    return _wrapped(budget, text, width, separator or "\n", long_words=True)


def _wrapped(budget: Budget, text: str, width: int, separator: str, *, long_words: bool) -> str:
    data, line_break, width = encode(text), encode(separator), max(width, 1)
    budget.reserve(len(data) + (len(data) // width + 1) * len(line_break))
    parts, offset = [], 0
    while len(data) - offset > width:
        if data[offset] == 0x20:
            offset += 1
            continue
        end = offset + width
        blank = data.rfind(b" ", offset, end + 1)
        if blank < 0 and long_words:
            parts.append(data[offset:end] + line_break)
            offset = end
            continue
        if blank < 0:
            blank = data.find(b" ", end)
            if blank < 0:
                parts.append(data[offset:])
                offset = len(data)
                continue
        parts.append(data[offset:blank] + line_break)
        offset = blank + 1
    return decode(b"".join([*parts, data[offset:]]))


@STRINGS.add("int, string", "indent")
def _indent(budget: Budget, count: int, text: str) -> str:
    if count < 0:
        raise TemplateError("strings: negative Repeat count")
    budget.reserve(count * (text.count("\n") + 1))
    return " " * count + text.replace("\n", "\n" + " " * count)


@STRINGS.add("int, string", "nindent")
def _nindent(budget: Budget, count: int, text: str) -> str:
    return "\n" + str(_indent(budget, count, text))


@STRINGS.add("...any", "quote")
def _quote(_: Budget, *values: Any) -> str:
    return " ".join(quote(to_text(value)) for value in values if value is not None)


@STRINGS.add("...any", "squote")
def _squote(_: Budget, *values: Any) -> str:
    return " ".join(f"'{text_of(value)}'" for value in values if value is not None)


@STRINGS.add("...any", "cat")
def _cat(_: Budget, *values: Any) -> str:
    return " ".join(text_of(value) for value in values if value is not None)


@STRINGS.add("string, any", "join")
def _join(budget: Budget, separator: str, value: Any) -> str:
    parts = to_texts(value)
    budget.reserve(len(separator) * len(parts))
    return separator.join(parts)


@STRINGS.add("string, string", "splitList")
def _split_list(_: Budget, separator: str, text: str) -> Slice:
    return strings(split(text, separator, -1))


@STRINGS.add("string, string", "split")
def _split(_: Budget, separator: str, text: str) -> Map:
    return _numbered(split(text, separator, -1))


@STRINGS.add("string, int, string", "splitn")
def _splitn(_: Budget, separator: str, count: int, text: str) -> Map:
    return _numbered(split(text, separator, count))


def split(text: str, separator: str, count: int) -> list[str]:
    """strings.SplitN."""
    if count == 0:
        return []
    if not separator:
        parts = list(text)
        return parts if count < 0 or len(parts) <= count else [*parts[: count - 1], "".join(parts[count - 1 :])]
    return text.split(separator, count - 1 if count > 0 else -1)


def _numbered(parts: list[str]) -> Map:
    return Map({f"_{number}": part for number, part in enumerate(parts)}, STRING_MAP, zero="")


@STRINGS.add("any", "sortAlpha")
def _sort_alpha(_: Budget, value: Any) -> Slice:
    return strings(sorted(to_texts(value), key=encode) if isinstance(value, Slice) else [to_text(value)])


STRINGS.add("string", "sha1sum")(lambda _, text: hashlib.sha1(encode(text), usedforsecurity=False).hexdigest())
STRINGS.add("string", "sha256sum")(lambda _, text: hashlib.sha256(encode(text)).hexdigest())
STRINGS.add("string", "sha512sum")(lambda _, text: hashlib.sha512(encode(text)).hexdigest())
STRINGS.add("string", "adler32sum")(lambda _, text: str(zlib.adler32(encode(text))))
STRINGS.add("string", "b64enc")(lambda _, text: base64.b64encode(encode(text)).decode())
STRINGS.add("string", "b32enc")(lambda _, text: base64.b32encode(encode(text)).decode())


@STRINGS.add("string", "b64dec")
def _b64dec(_: Budget, text: str) -> str:
    return _decoded(text, "base64", r"[A-Za-z0-9+/]*={0,2}", 4, base64.b64decode)


@STRINGS.add("string", "b32dec")
def _b32dec(_: Budget, text: str) -> str:
    return _decoded(text, "base32", r"[A-Z2-7]*={0,6}", 8, base64.b32decode)


def _decoded(text: str, name: str, alphabet: str, group: int, decoder: Any) -> str:
    """Go's decoders skip line breaks, and say where they stopped; sprig hands that sentence back as the value."""
    data = text.replace("\r", "").replace("\n", "")
    if re.fullmatch(alphabet, data) and len(data) % group == 0:
        try:
            return decode(decoder(data))
        except binascii.Error:
            pass
    good = re.match(alphabet.partition("*")[0] + "*", data)
    at = len(good.group()) if good else 0
    if at == len(data):
        at -= at % group
    return f"illegal {name} data at input byte {at}"


STRINGS.add("string", "base", "osBase")(lambda _, path: _base(path))
STRINGS.add("string", "clean", "osClean")(lambda _, path: _clean(path))
STRINGS.add("string", "dir", "osDir")(lambda _, path: _clean(path[: path.rfind("/") + 1]))
STRINGS.add("string", "isAbs", "osIsAbs")(lambda _, path: path.startswith("/"))


@STRINGS.add("string", "ext", "osExt")
def _ext(_: Budget, path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"
