"""YAML text → a tree of nodes with positions, with bounds on size, depth and aliases. Knows nothing of types.

Built from the parser's events rather than by PyYAML's own composer, which recurses without a bound on the C stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.frozen import frozen

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@frozen
class Limits:
    """Bounds on one file: `size` in bytes, `depth` in nested collections, `nodes` in all values once aliases are
    written out, `documents` in a stream.
    """

    size: int = 10 * 1024 * 1024
    depth: int = 100
    nodes: int = 250_000
    documents: int = 20_000


DEFAULT_LIMITS = Limits()


@dataclass(slots=True, eq=False)
class Node:
    """A value as written. `text` is a scalar's content, `items` a sequence's, `pairs` a mapping's; the other two are
    empty. Lines and columns count from 1; columns count characters. An alias is its anchor's very node.
    """

    kind: str
    tag: str | None
    line: int
    column: int
    text: str = ""
    plain: bool = False
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    complete: bool = True
    pending_key: Node | None = None

    def add(self, child: Node) -> None:
        """Append a child: to a sequence an item, to a mapping by turns a key and its value."""
        if self.kind == "sequence":
            self.items.append(child)
        elif self.pending_key is None:
            self.pending_key = child
        else:
            self.pairs.append((self.pending_key, child))
            self.pending_key = None


def compose(data: bytes, *, file: str, limits: Limits = DEFAULT_LIMITS) -> list[Node]:
    """The documents of a stream, as nodes; a document without any content is left out.

    Raises InvalidInput at the line and column of a fault, LimitExceeded past a bound.
    """
    if len(data) > limits.size:
        raise LimitExceeded(f"the file is larger than {limits.size} bytes", where=Where(file))
    try:
        return list(_documents(data, file, limits))
    except yaml.reader.ReaderError as error:
        raise _unreadable(data, file, error) from None
    except yaml.MarkedYAMLError as error:
        raise _malformed(file, error) from None


def _documents(data: bytes, file: str, limits: Limits) -> Iterator[Node]:
    composer = _Composer(file, limits)
    count = 0
    for event in yaml.parse(data, Loader=_Parser):
        root = composer.take(event)
        if root is None or (root.plain and not root.text and root.tag is None):
            continue
        count += 1
        if count > limits.documents:
            raise LimitExceeded(f"the file has more than {limits.documents} documents", where=Where(file, root.line))
        yield root


class _Composer:
    """Takes events one by one; the events of one document make one node."""

    def __init__(self, file: str, limits: Limits):
        self._file = file
        self._limits = limits
        self._count = 0
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []

    def take(self, event: Any) -> Node | None:
        """The document's root when this event completes it."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}
        elif isinstance(event, yaml.AliasEvent):
            return self._place(self._anchored(event))
        elif isinstance(event, yaml.ScalarEvent):
            return self._place(self._begin(event, "scalar", event.value))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._nest(self._begin(event, "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"))
        elif isinstance(event, yaml.CollectionEndEvent):
            node = self._open.pop()
            node.complete = True
            return self._place(node)
        return None

    def _begin(self, event: Any, kind: str, text: str = "") -> Node:
        self._count += 1
        mark = event.start_mark
        where = Where(self._file, mark.line + 1, mark.column + 1)
        if self._count > self._limits.nodes:
            raise LimitExceeded(f"the file has more than {self._limits.nodes} values", where=where)
        plain = kind == "scalar" and event.style in (None, "")
        node = Node(kind, event.tag, mark.line + 1, mark.column + 1, text, plain)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _nest(self, node: Node) -> None:
        if len(self._open) >= self._limits.depth:
            where = Where(self._file, node.line, node.column)
            raise LimitExceeded(f"more than {self._limits.depth} levels of nesting", where=where)
        node.complete = False
        self._open.append(node)

    def _place(self, node: Node) -> Node | None:
        if not self._open:
            return node
        self._open[-1].add(node)
        return None

    def _anchored(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        where = Where(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        if node is None:
            raise InvalidInput(f"the alias *{event.anchor} has no anchor before it", where=where)
        if not node.complete:
            raise InvalidInput(f"the anchor &{event.anchor} contains itself", where=where)
        return node


def _unreadable(data: bytes, file: str, error: Any) -> InvalidInput:
    before = data[: error.position].decode("utf-8", "replace")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    what = f"U+{ord(error.character):04X}" if isinstance(error.character, str) else f"U+{error.character:04X}"
    if "octet" in error.reason or "byte" in error.reason:
        return InvalidInput("the text is not UTF-8", where=Where(file, line, column))
    return InvalidInput(f"the character {what} is not allowed in YAML", where=Where(file, line, column))


def _malformed(file: str, error: yaml.MarkedYAMLError) -> InvalidInput:
    mark = error.problem_mark or error.context_mark
    where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
    message = ", ".join(part for part in (error.context, error.problem) if part)
    return InvalidInput(message or "this is no YAML", where=where)
