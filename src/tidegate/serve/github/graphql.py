"""As much of GraphQL as it takes to answer what `gh` asks before it goes to the REST API: one query over plain values.

Follows the GraphQL specification (October 2021) in names, arguments, aliases, fragments and errors. No mutations, no
directives, no introspection but `__typename`. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.base.frozen import frozen

QUERY_LIMIT = 64 * 1024
DEPTH_LIMIT = 16
FIELDS_LIMIT = 1000
"""Fields and fragments of an answer: fragments that name each other many times would multiply."""
_TOKEN = re.compile(
    r"""[\s,\ufeff]+|\#[^\n\r]*|(?P<token>\.\.\.|[A-Za-z_]\w*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|"(?:[^"\\\n\r]|\\.)*"|[!$&()\[\]{}:=@|])""",
    re.ASCII,
)
_PUNCTUATION = frozenset("!$&()[]{}:=@|") | {"..."}


@frozen
class Node:
    """An object of the answer: its type's name, and its fields; one with arguments is a function of them."""

    type: str
    fields: Mapping[str, Any]


@frozen
class _Field:
    key: str
    name: str
    arguments: Mapping[str, Any]
    selections: Sequence[Any]


@frozen
class _Spread:
    name: str


def execute(query: str, variables: Mapping[str, Any], root: Node) -> dict[str, Any]:
    """The body of the answer: `data`, and `errors` where there are any. What can't be read or is not known here is an
    error in it, as GraphQL has it.
    """
    try:
        document = _Parser(query, variables).document()
        evaluation = _Evaluation(document.fragments)
        data = evaluation.select(root, document.selections, ())
    except (InvalidInput, LimitExceeded) as error:
        return {"errors": [{"message": str(error)}]}
    undefined = [error for error in evaluation.errors if error["type"] == "undefinedField"]
    if undefined:  # such a query is not valid, and is not answered in part
        return {"errors": undefined}
    return {"data": data, "errors": evaluation.errors} if evaluation.errors else {"data": data}


@dataclass(slots=True)
class _Document:
    selections: Sequence[Any] = ()
    fragments: dict[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(slots=True)
class _Evaluation:
    fragments: Mapping[str, Sequence[Any]]
    errors: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def select(self, node: Node, selections: Sequence[Any], path: tuple[str, ...]) -> dict[str, Any]:
        """The fields of a node that are asked for."""
        if len(path) > DEPTH_LIMIT:
            raise LimitExceeded(f"the query is nested more than {DEPTH_LIMIT} deep")
        found: dict[str, Any] = {}
        for one in self._flat(selections, ()):
            found[one.key] = self._value(node, one, (*path, one.key))
        return found

    def _flat(self, selections: Sequence[Any], within: tuple[str, ...]) -> list[_Field]:
        fields: list[_Field] = []
        for one in selections:
            self.count += 1
            if self.count > FIELDS_LIMIT:
                raise LimitExceeded(f"the query asks for more than {FIELDS_LIMIT} fields")
            if isinstance(one, _Field):
                fields.append(one)
                continue
            if one.name in within or one.name not in self.fragments:
                raise InvalidInput(f"the fragment {one.name!r} is not defined, or spreads itself")
            fields += self._flat(self.fragments[one.name], (*within, one.name))
        return fields

    def _value(self, node: Node, one: _Field, path: tuple[str, ...]) -> Any:
        if one.name == "__typename":
            return node.type
        if one.name not in node.fields:
            message = f"Field '{one.name}' doesn't exist on type '{node.type}'"
            self.errors.append({"type": "undefinedField", "path": ["query", *path], "message": message})
            return None
        try:
            value = node.fields[one.name]
            return self._shown(value(one.arguments) if callable(value) else value, one, path)
        except NotFound as error:
            self.errors.append({"type": "NOT_FOUND", "path": list(path), "message": str(error)})
            return None

    def _shown(self, value: Any, one: _Field, path: tuple[str, ...]) -> Any:
        if isinstance(value, Node):
            return self.select(value, one.selections, path)
        if isinstance(value, list):
            return [self._shown(item, one, path) for item in value]
        return value


class _Parser:
    """Reads a document with the values of its variables in their places."""

    def __init__(self, text: str, variables: Mapping[str, Any]):
        self._tokens = _tokens(text)
        self._position = 0
        self._variables = dict(variables)

    def document(self) -> _Document:
        """The query and the fragments; InvalidInput."""
        document, operations = _Document(), 0
        while (word := self._peek()) is not None:
            if word == "fragment":
                self._take()
                name = self._name()
                self._expect("on")
                self._name()
                document.fragments[name] = self._selections(0)
                continue
            operations += 1
            document.selections = self._operation()
        if operations != 1:
            raise InvalidInput(f"a request has one query, not {operations}")
        return document

    def _operation(self) -> Sequence[Any]:
        if self._peek() != "{":
            kind = self._name()
            if kind != "query":
                raise InvalidInput(f"this server answers queries, no {kind}")
            if self._peek() not in ("{", "("):
                self._name()
            if self._peek() == "(":
                self._definitions()
        return self._selections(0)

    def _definitions(self) -> None:
        """The variables' types are not looked at; a default stands where no value is given."""
        self._expect("(")
        while self._peek() != ")":
            self._expect("$")
            name = self._name()
            self._expect(":")
            while self._peek() in ("[", "]", "!") or re.fullmatch(r"[A-Za-z_]\w*", self._peek() or ""):
                self._take()
            if self._peek() == "=":
                self._take()
                default = self._argument(0)
                self._variables.setdefault(name, default)
        self._take()

    def _selections(self, depth: int) -> Sequence[Any]:
        if depth > DEPTH_LIMIT:
            raise LimitExceeded(f"the query is nested more than {DEPTH_LIMIT} deep")
        self._expect("{")
        found: list[Any] = []
        while self._peek() != "}":
            if self._peek() != "...":
                found.append(self._field(depth))
                continue
            self._take()
            name = self._name() if self._peek() != "{" else "on"
            if name != "on":
                found.append(_Spread(name))
                continue
            if self._peek() != "{":
                self._name()
            found += self._selections(depth + 1)
        self._take()
        return found

    def _field(self, depth: int) -> _Field:
        key = name = self._name()
        if self._peek() == ":":
            self._take()
            name = self._name()
        arguments: dict[str, Any] = {}
        if self._peek() == "(":
            self._take()
            while self._peek() != ")":
                argument = self._name()
                self._expect(":")
                arguments[argument] = self._argument(0)
            self._take()
        return _Field(key, name, arguments, self._selections(depth + 1) if self._peek() == "{" else ())

    def _argument(self, depth: int) -> Any:
        if depth > DEPTH_LIMIT:
            raise LimitExceeded(f"an argument is nested more than {DEPTH_LIMIT} deep")
        word = self._take()
        if word == "$":
            return self._variables.get(self._name())
        if word == "[":
            items = []
            while self._peek() != "]":
                items.append(self._argument(depth + 1))
            self._take()
            return items
        if word == "{":
            value = {}
            while self._peek() != "}":
                name = self._name()
                self._expect(":")
                value[name] = self._argument(depth + 1)
            self._take()
            return value
        return _literal(word)

    def _peek(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _take(self) -> str:
        word = self._peek()
        if word is None:
            raise InvalidInput("the query ends too early")
        self._position += 1
        return word

    def _expect(self, wanted: str) -> None:
        word = self._take()
        if word != wanted:
            raise InvalidInput(f"the query has {word!r} where {wanted!r} is expected")

    def _name(self) -> str:
        word = self._take()
        if not re.fullmatch(r"[A-Za-z_]\w*", word, re.ASCII):
            raise InvalidInput(f"the query has {word!r} where a name is expected")
        return word


def _tokens(text: str) -> list[str]:
    if len(text) > QUERY_LIMIT:
        raise LimitExceeded(f"the query is longer than {QUERY_LIMIT} characters")
    tokens, position = [], 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise InvalidInput(f"the query can't be read at {text[position : position + 20]!r}")
        position = found.end()
        if found["token"]:
            tokens.append(found["token"])
    return tokens


def _literal(word: str) -> Any:
    """A string, a number, true, false, null; any other name is an enumeration's value."""
    if word in _PUNCTUATION:
        raise InvalidInput(f"the query has {word!r} where a value is expected")
    try:
        return json.loads(word)
    except ValueError:
        return word
