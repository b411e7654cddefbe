"""The tree of an expression, and what can be said of it without evaluating."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from tidegate.base.frozen import frozen
from tidegate.workflow.expressions.lexer import Kind


@frozen
class Constant:
    """A number, string, boolean or null."""

    value: bool | float | str | None


@frozen
class Name:
    """A context: `github`."""

    name: str
    position: int


@frozen
class Star:
    """The `*` of `a.*` and `a[*]`."""


@frozen
class Index:
    """`a.b` and `a[b]`."""

    of: Node
    index: Node | Star


@frozen
class Call:
    """A function's call."""

    name: str
    arguments: tuple[Node, ...]
    position: int


@frozen
class Not:
    operand: Node


@frozen
class Comparison:
    """`first op operand op operand …`, from left to right; one node, so that a long chain does not nest."""

    first: Node
    rest: tuple[tuple[Kind, Node], ...]


@frozen
class Logical:
    """`a && b && …` or `a || b || …`."""

    operator: Kind
    operands: tuple[Node, ...]


Node: TypeAlias = "Constant | Name | Index | Call | Not | Comparison | Logical"


def walk(node: Node) -> Iterator[Node]:
    """Every node of a tree, the outer ones first."""
    yield node
    children: tuple[Node, ...] = ()
    match node:
        case Index(of, index):
            children = (of,) if isinstance(index, Star) else (of, index)
        case Call(_, arguments, _):
            children = arguments
        case Not(operand):
            children = (operand,)
        case Comparison(first, rest):
            children = (first, *(operand for _, operand in rest))
        case Logical(_, operands):
            children = operands
        case _:
            pass
    for child in children:
        yield from walk(child)


def calls(node: Node) -> frozenset[str]:
    """The functions that an expression calls, in lower case."""
    return frozenset(found.name.lower() for found in walk(node) if isinstance(found, Call))


def names(node: Node) -> frozenset[str]:
    """The contexts that an expression reads, in lower case."""
    return frozenset(found.name.lower() for found in walk(node) if isinstance(found, Name))
