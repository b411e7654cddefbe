"""Reads the protobuf bodies that kubectl's own subcommands (`create secret`, `auth can-i`, …) send instead of JSON.

Only the messages of protobuf_messages.py are known. A field that isn't is passed over where it is empty, as clients
write many empty ones, and refused otherwise: nothing that was asked for may be lost silently. Answers are always JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tidegate.engine.clock import rfc3339
from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.protobuf_messages import MESSAGES
from tidegate.serve.kubernetes.status import BadRequest, UnsupportedMediaType

MAGIC = b"k8s\x00"
_REMEDY = "send it as JSON: kubectl … --dry-run=client -o yaml | kubectl apply -f -"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LARGEST = 1 << 63
Value = int | bytes
Field = tuple[str, str, bool]
"""A field's JSON name, its type, and whether its zero value means something."""


def decode(data: bytes) -> Object:
    """The object in a body as JSON would hold it. Raises BadRequest for broken bytes, UnsupportedMediaType for kinds
    and fields that are not known here.
    """
    if not data.startswith(MAGIC):
        raise BadRequest("the body is no protobuf of Kubernetes: its first bytes are wrong")
    envelope = dict(_fields(data[len(MAGIC) :]))
    meta = dict(_fields(_bytes(envelope.get(1, b""))))
    api_version, kind = (_text(meta.get(number, b"")) for number in (1, 2))
    if kind not in MESSAGES:
        raise UnsupportedMediaType(f"a {kind or 'message'} in protobuf is not read here", remedy=_REMEDY)
    decoded: Object = {"apiVersion": api_version, "kind": kind}
    return decoded | _message(kind, _bytes(envelope.get(2, b"")))


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """The wire format: each field's number and its raw value."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        value: Value
        if wire == _VARINT:
            value, position = _varint(data, position)
        elif wire == _BYTES:
            size, position = _varint(data, position)
            value, position = data[position : position + size], position + size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value, position = data[position : position + size], position + size
        else:
            raise BadRequest(f"the body is broken: there is no wire type {wire}")
        if position > len(data):
            raise BadRequest("the body is broken: it ends within a field")
        yield number, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise BadRequest("the body is broken: it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise BadRequest("the body is broken: a number is too long")


@lru_cache(maxsize=128)
def _schema(message: str) -> dict[int, Field]:
    """A line of MESSAGES: `NUMBER NAME TYPE;…`; a type that ends in `!` keeps its zero value."""
    found = {}
    for part in filter(None, MESSAGES[message].split(";")):
        number, name, sort = part.split()
        found[int(number)] = (name, sort.removesuffix("!"), sort.endswith("!"))
    return found


def _message(message: str, data: bytes) -> dict[str, Any]:
    schema, decoded = _schema(message), dict[str, Any]()
    for number, value in _fields(data):
        field = schema.get(number)
        if field is not None:
            _put(decoded, field, value)
        elif not _is_empty(value):
            raise UnsupportedMediaType(f"field {number} of a {message} in protobuf is not read here", remedy=_REMEDY)
    return decoded


def _is_empty(value: Value) -> bool:
    """Whether a value is zero, or a message in which every value is."""
    if not isinstance(value, bytes):
        return value == 0
    try:
        return all(_is_empty(inner) for _, inner in _fields(value))
    except BadRequest:
        return False


def _put(decoded: dict[str, Any], field: Field, value: Value) -> None:
    name, sort, keeps_zero = field
    if sort.startswith("["):
        decoded.setdefault(name, []).append(_value(sort[1:-1], value))
    elif sort.startswith("{"):
        entry = dict(_fields(_bytes(value)))
        decoded.setdefault(name, {})[_text(entry.get(1, b""))] = _value(sort[1:-1], entry.get(2, b""))
    else:
        single = _value(sort, value)
        if name == ".":
            decoded.update(single)
        elif keeps_zero or single not in ("", 0, False, None, {}):
            decoded[name] = single


def _value(sort: str, value: Value) -> Any:
    read = _SCALARS.get(sort)
    return read(value) if read is not None else _message(sort, _bytes(value))


def _bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise BadRequest("the body is broken: a number stands where a message belongs")


def _integer(value: Value) -> int:
    if isinstance(value, bytes):
        raise BadRequest("the body is broken: bytes stand where a number belongs")
    return value - 2 * _LARGEST if value >= _LARGEST else value


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the body is broken: a text is no UTF-8") from error


def _base64(value: Value) -> str:
    return base64.b64encode(_bytes(value)).decode()


def _time(value: Value) -> str | None:
    seconds = _integer(dict(_fields(_bytes(value))).get(1, 0))
    try:
        return rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds else None
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequest(f"the body is broken: {seconds} is no time") from error


def _integer_or_text(value: Value) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) else _integer(parts.get(2, 0))


def _quantity(value: Value) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b""))


_SCALARS: dict[str, Callable[[Value], Any]] = {
    "text": _text,
    "flag": lambda value: bool(_integer(value)),
    "integer": _integer,
    "bytes": _base64,
    "time": _time,
    "either": _integer_or_text,
    "quantity": _quantity,
}
