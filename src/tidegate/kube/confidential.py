"""Secrets as they are applied, and the errors about them: an API server repeats in an error what it could not read."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.kinds.objects import Object

MASK = "***"
_SHOWN = re.compile(r"(got|alue:) (&\{.*|\".*)")
_TOLD = ("apiVersion", "kind", "metadata", "type")
_SHORTEST = 3
"""Of a text shorter than this the letters stand everywhere, so only `_SHOWN` hides it."""


def is_secret(obj: Object) -> bool:
    """Whether the values of an object are nobody's to read."""
    return (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Secret")


def with_data(secret: Object) -> Object:
    """A Secret whose texts are in `data`: the API keeps no `stringData`, so its owner could never be told. InvalidInput
    where one is no text, as the API would say.
    """
    rest = {name: value for name, value in secret.items() if name != "stringData"}
    texts = secret.get("stringData")
    if texts is None:
        return rest
    wrong = [name for name, text in texts.items() if not isinstance(text, str)] if isinstance(texts, Mapping) else [""]
    if wrong:
        remedy = "quote it: a Secret holds texts, not numbers, yes and no, lists or mappings"
        raise InvalidInput("is no text", where=Where(field=f"stringData.{wrong[0]}".rstrip(".")), remedy=remedy)
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return rest | {"data": (secret.get("data") or {}) | encoded}


def conceal(error: TidegateError, secret: Object) -> None:
    """Take a Secret's values out of what an error says of it."""
    message = error.message
    hidden = {line.strip() for value in _values(secret) for line in (value, *value.splitlines())}
    for text in sorted(hidden, key=len, reverse=True):
        if len(text) >= _SHORTEST:
            message = message.replace(text, MASK)
    error.message = _SHOWN.sub(rf"\1 {MASK}", message)
    error.args = (error.message,)


def _values(secret: Object) -> Iterator[str]:
    for name, value in secret.items():
        if name not in _TOLD:
            yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif not isinstance(value, bool) and value is not None:
        yield str(value)
