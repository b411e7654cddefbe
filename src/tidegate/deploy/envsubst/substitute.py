"""From a text and variables to the text with their values, by the rules of fluxcd/pkg/envsubst 1.7. Pure.

A value that is put in is not looked at again; nothing is ever read from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.deploy.envsubst.operations import apply
from tidegate.deploy.envsubst.syntax import DEFAULTS, Expansion, Part, parse, place

MOST_BYTES = 16 * 1024 * 1024
"""How much may be made of one text on the way to the result."""


def substitute(text: str, variables: Mapping[str, str], *, strict: bool = False) -> str:
    """The text with each `${name}` replaced. A missing variable is empty; in `strict` mode it is an error unless its
    expansion has a default. Bytes that an offset has cut off a character become U+FFFD.

    Raises InvalidInput for what is no substitution, and LimitExceeded where the values grow too large.
    """
    run = _Run(text, {name: value.encode("utf-8", "replace") for name, value in variables.items()}, strict=strict)
    data = b"".join([run.value(part) for part in parse(text)])
    shown = data.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in shown)


class _Run:
    def __init__(self, text: str, variables: Mapping[str, bytes], *, strict: bool):
        self._text = text
        self._variables = variables
        self._strict = strict
        self._left = MOST_BYTES

    def value(self, part: Part) -> bytes:
        data = self._expanded(part) if isinstance(part, Expansion) else part.encode("utf-8", "replace")
        self._left -= len(data)
        if self._left < 0:
            raise LimitExceeded(f"the substitutions of one text make more than {MOST_BYTES} bytes")
        return data

    def _expanded(self, part: Expansion) -> bytes:
        words = [self.value(word) for word in part.words]
        value = self._variables.get(part.name)
        if value is None and self._strict and part.operator not in DEFAULTS:
            remedy = f"set it, or write ${{{part.name}:=default}}"
            raise InvalidInput(f"the variable {part.name!r} is not set", where=self._where(part), remedy=remedy)
        try:
            return apply(part.operator, value or b"", words)
        except InvalidInput as error:
            raise InvalidInput(error.message, where=self._where(part), remedy=error.remedy) from None

    def _where(self, part: Expansion) -> Where:
        return place(self._text, part.position)
