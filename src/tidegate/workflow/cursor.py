"""Walks a YAML document with its places and collects every problem instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.errors import Where
from tidegate.base.yaml import Document, Path
from tidegate.workflow.expressions import ExpressionError, Node, calls, parse, text_of
from tidegate.workflow.model import (
    ALWAYS_ON_SUCCESS,
    EMPTY,
    Condition,
    Listing,
    Literal,
    Scalar,
    Table,
    Template,
    Tree,
)
from tidegate.workflow.problems import InvalidWorkflow, Problem, in_order
from tidegate.workflow.scopes import STATUS, Available
from tidegate.workflow.source import Source
from tidegate.workflow.templates import parse_template

_KINDS = {dict: "a mapping", list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}


class Reading:
    """One file being read: its document, its text and the problems found so far."""

    def __init__(self, document: Document, source: Source):
        self.document = document
        self.source = source
        self.problems: list[Problem] = []

    def report(self, message: str, where: Where, remedy: str | None = None, length: int | None = None) -> None:
        self.problems.append(self.source.problem(message, where, remedy, length))

    def finish(self) -> None:
        """Raise InvalidWorkflow with all problems in the order of their places, where there are any."""
        if self.problems:
            raise InvalidWorkflow(in_order(self.problems, ()))


class Cursor:
    """A value of the document, at its path."""

    __slots__ = ("_reading", "path", "value")

    def __init__(self, reading: Reading, path: Path = (), value: Any = None):
        self._reading = reading
        self.path = path
        self.value = value if path else reading.document.value

    @property
    def where(self) -> Where:
        return self._reading.document.where(self.path)

    @property
    def key(self) -> Where:
        """The place of the key (of the item, in a list) rather than of the value."""
        return self._reading.document.where_key(self.path)

    @property
    def name(self) -> str:
        """The last key of the path, for messages."""
        return str(self.path[-1]) if self.path else "workflow"

    def problem(self, message: str, remedy: str | None = None, *, where: Where | None = None) -> None:
        """Note a problem at this value (or at `where`)."""
        self._reading.report(message, where or self.where, remedy)

    def child(self, part: str | int) -> Cursor:
        return Cursor(self._reading, (*self.path, part), self.value[part])

    def expected(self, what: str) -> None:
        found = "nothing" if self.value is None else _KINDS.get(type(self.value), "something else")
        self.problem(f"{self.name!r} must be {what}, not {found}")

    def entries(self) -> dict[str, Cursor]:
        """The entries of a mapping; anything else is a problem."""
        if not isinstance(self.value, dict):
            self.expected("a mapping")
            return {}
        return {name: self.child(name) for name in self.value}

    def fields(self, allowed: Sequence[str], required: Sequence[str] = ()) -> dict[str, Cursor]:
        """The entries of a mapping whose keys are known; others, and missing ones, are problems."""
        entries = self.entries()
        for name in [name for name in entries if name not in allowed]:
            entries[name].problem(f"unexpected key {name!r}", suggest(name, allowed), where=entries[name].key)
            del entries[name]
        if isinstance(self.value, dict):
            for name in required:
                if name not in entries:
                    self.problem(f"the key {name!r} is missing here", where=self.key)
        return entries

    def items(self) -> list[Cursor]:
        """The items of a list; anything else is a problem."""
        if not isinstance(self.value, list):
            self.expected("a list")
            return []
        return [self.child(place) for place in range(len(self.value))]

    def one_or_more(self) -> list[Cursor]:
        """The items of a list, or the single value itself."""
        return self.items() if isinstance(self.value, list) else [self]

    def text(self) -> str:
        """A text in which no expression may stand."""
        if not _is_scalar(self.value) or self.value is None or self.value == "":
            self.expected("a text")
            return ""
        text = text_of(_number(self.value))
        if "${{" in text:
            self.problem(f"no expression can stand in {self.name!r}", "write the text itself")
        return text

    def texts(self) -> tuple[str, ...]:
        """One text, or a list of texts."""
        return tuple(item.text() for item in self.one_or_more())

    def choice(self, allowed: Sequence[str]) -> str:
        """One of a few words."""
        text = self.text()
        if text and text not in allowed:
            self.problem(f"{text!r} is not known here", suggest(text, allowed))
        return text

    def boolean(self) -> bool:
        """true or false, without an expression."""
        if not isinstance(self.value, bool):
            self.expected("true or false")
        return self.value is True

    def scalar(self, available: Available) -> Scalar:
        """A scalar with or without expressions."""
        if not _is_scalar(self.value):
            self.expected("a text")
            return Literal("", self.where)
        if isinstance(self.value, str) and "${{" in self.value:
            return self._template(available)
        return Literal(_number(self.value), self.where)

    def setting(self, available: Available, kind: str) -> Scalar:
        """A `boolean` or `number`, or an expression that gives one."""
        scalar = self.scalar(available)
        if isinstance(scalar, Template):
            if scalar.expression is None and scalar.parts:
                self.expected(f"a {kind}, or one expression that gives it")
        elif isinstance(scalar.value, bool) != (kind == "boolean") or not isinstance(scalar.value, bool | float):
            self.expected(f"a {kind}")
        return scalar

    def tree(self, available: Available) -> Tree:
        """Any value with or without expressions."""
        if isinstance(self.value, list):
            return Listing(tuple(item.tree(available) for item in self.items()), self.where)
        if isinstance(self.value, dict):
            return self._table(available)
        return self.scalar(available)

    def table(self, available: Available) -> Table | Template:
        """A mapping of names to scalars, or one expression that gives it."""
        if isinstance(self.value, str) and "${{" in self.value:
            return self._template(available)
        entries = self.entries()
        return Table({name: entry.scalar(available) for name, entry in entries.items()}, self.where)

    def _table(self, available: Available) -> Table:
        for name in self.value:
            if "${{" in name:
                self.child(name).problem("no expression can stand in a key", where=self.child(name).key)
        return Table({name: entry.tree(available) for name, entry in self.entries().items()}, self.where)

    def condition(self, available: Available) -> Condition:
        """An `if:`, with or without `${{ }}` around it."""
        if not _is_scalar(self.value):
            self.expected("a condition")
            return ALWAYS_ON_SUCCESS
        source = text_of(_number(self.value))
        if not source.strip():
            return Condition("success()", None, False, self.where)
        expression = self._condition_of(source, available)
        nodes = (
            [part for part in expression.parts if not isinstance(part, str)] if isinstance(expression, Template) else []
        )
        if expression is not None and not isinstance(expression, Template):
            nodes = [expression]
        has_status = any(calls(node) & STATUS.keys() for node in nodes)
        return Condition(source.strip(), expression, has_status, self.where)

    def _condition_of(self, source: str, available: Available) -> Node | Template | None:
        if "${{" in source:
            template = self._template(available)
            texts = [part for part in template.parts if not (isinstance(part, str) and not part.strip())]
            only = texts[0] if len(texts) == 1 else None
            return template if only is None or isinstance(only, str) else only
        try:
            return parse(source, available.contexts, available.functions)
        except ExpressionError as error:
            self._report_expression(error, source)
            return None

    def _template(self, available: Available) -> Template:
        source = str(self.value)
        parts, errors = parse_template(source, available.contexts, available.functions)
        for error in errors:
            self._report_expression(error, source)
        return Template(source, parts, self.where)

    def _report_expression(self, error: ExpressionError, source: str) -> None:
        where = self._reading.source.within(self.where, source, error.position)
        self._reading.report(error.message, where, error.remedy, error.length)


def table_or_empty(cursor: Cursor | None, available: Available) -> Table | Template:
    """The table at a cursor; empty where there is none."""
    return EMPTY if cursor is None else cursor.table(available)


def scalar_or_none(cursor: Cursor | None, available: Available) -> Scalar | None:
    """The scalar at a cursor; None where there is none."""
    return None if cursor is None else cursor.scalar(available)


def flag_or_false(cursor: Cursor | None, available: Available) -> Scalar:
    """The boolean at a cursor, or an expression that gives one; false where there is none."""
    return Literal(False) if cursor is None else cursor.setting(available, "boolean")


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _number(value: Any) -> bool | float | str | None:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def suggest(name: str, allowed: Sequence[str]) -> str:
    """The help line for a word that is not known: the one that was meant, or all that there are."""
    import difflib  # noqa: PLC0415 - only errors need it

    close = difflib.get_close_matches(name, allowed, 1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(allowed)}"
