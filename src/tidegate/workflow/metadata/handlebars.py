"""The part of Handlebars that tag patterns use: `{{name}}` and `{{name 'text' key='text'}}`, nothing nested.

Blocks and partials are refused by name rather than misread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen

LONGEST = 64 * 1024
_STATEMENT = re.compile(r"(\\?)(\{\{\{\s*(.*?)\s*\}\}\}|\{\{!--.*?--\}\}|\{\{~?\s*(.*?)\s*~?\}\})", re.DOTALL)
_WORD = re.compile(r"""(?:([\w.$/-]+)=)?("[^"]*"|'[^']*'|[^\s"'=]+)(?:\s+|$)""")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "`": "&#x60;", "=": "&#x3D;"}
_SPECIAL = re.compile(r"""[&<>"'`=]""")

Helper = Callable[[tuple[str, ...], Mapping[str, str]], str]


@frozen
class _Call:
    name: str
    arguments: tuple[str, ...]
    named: Mapping[str, str]


def render(template: str, values: Mapping[str, str | Helper]) -> str:
    """A template with its statements replaced; a name that is not known gives the empty text.

    Values are escaped for HTML as Handlebars does, in triple braces not. Raises InvalidInput for what is not supported.
    """
    if "{{" not in template:
        return template

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return found[2]
        if found[2].startswith("{{!"):
            return ""
        text = _value(_call(found[3] if found[3] is not None else found[4], template), values)
        return text if found[3] is not None else _SPECIAL.sub(lambda special: _ESCAPES[special[0]], text)

    result = _STATEMENT.sub(replace, template)
    if len(result) > LONGEST:
        raise LimitExceeded(f"the pattern {template[:80]!r} gives more than {LONGEST} characters")
    return result


def is_only(template: str, name: str) -> bool:
    """Whether a template is nothing but the statement of a name."""
    found = _STATEMENT.fullmatch(template)
    return found is not None and not found[1] and (found[3] or found[4]) == name


def _call(text: str, template: str) -> _Call:
    if not text or text[0] in "#/^>&*" or text == "else" or "(" in text:
        raise InvalidInput(f"{{{{{text}}}}} in {template!r} is not supported", remedy="use {{name}} or {{name 'text'}}")
    words = []
    place = 0
    while place < len(text):
        found = _WORD.match(text, place)
        if found is None:
            raise InvalidInput(f"{{{{{text}}}}} in {template!r} cannot be read")
        words.append((found[1], found[2]))
        place = found.end()
    arguments = tuple(_unquoted(word) for key, word in words[1:] if key is None)
    return _Call(words[0][1], arguments, {key: _unquoted(word) for key, word in words if key is not None})


def _unquoted(word: str) -> str:
    return word[1:-1] if word[0] in "'\"" else word


def _value(call: _Call, values: Mapping[str, str | Helper]) -> str:
    value = values.get(call.name)
    if callable(value):
        return value(call.arguments, call.named)
    if value is None and (call.arguments or call.named):
        raise InvalidInput(f"there is no {call.name!r} that takes arguments", remedy=f"known: {', '.join(values)}")
    return value or ""
