"""What a template is made of once it is parsed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Text:
    """Text outside actions."""

    text: str


@dataclass(slots=True)
class Literal:
    """A bool or a string."""

    value: bool | str
    source: str


@dataclass(slots=True)
class Number:
    """A number: what it is as an integer and as a float, where it can be one; `complex` where it is written as one."""

    source: str
    integer: int | None
    floating: float | None
    is_char: bool = False
    complex: complex | None = None


@dataclass(slots=True)
class Nil:
    """`nil`."""


@dataclass(slots=True)
class Dot:
    """`.`."""


@dataclass(slots=True)
class Field:
    """`.A.B`."""

    names: tuple[str, ...]


@dataclass(slots=True)
class Variable:
    """`$x.A`; the first name is the variable's, with its sign."""

    names: tuple[str, ...]


@dataclass(slots=True)
class Identifier:
    """A function's name."""

    name: str


@dataclass(slots=True)
class Chain:
    """A term in parentheses, then fields."""

    term: Operand
    names: tuple[str, ...]


@dataclass(slots=True)
class Pipe:
    """Commands, each given to the next; perhaps kept in variables."""

    line: int
    commands: list[Command] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    assigns: bool = False


@dataclass(slots=True)
class Command:
    """A function or value and its arguments."""

    arguments: list[Operand]


Operand = Literal | Number | Nil | Dot | Field | Variable | Identifier | Chain | Pipe


@dataclass(slots=True)
class Action:
    """A pipeline whose value is printed."""

    pipe: Pipe


@dataclass(slots=True)
class Branch:
    """`if`, `with` or `range`."""

    keyword: str
    pipe: Pipe
    body: list[Node]
    otherwise: list[Node] | None


@dataclass(slots=True)
class Jump:
    """`break` or `continue`."""

    keyword: str


@dataclass(slots=True)
class Call:
    """`template "name" pipeline`."""

    name: str
    pipe: Pipe | None
    line: int


Node = Text | Action | Branch | Jump | Call


@dataclass(slots=True)
class Template:
    """The body, and the templates defined by name."""

    body: list[Node]
    defined: dict[str, list[Node]]


def written(node: Any) -> str:
    """An operand about as it was written, for messages."""
    match node:
        case Literal(source=source) | Number(source=source):
            return str(source)
        case Field(names=names):
            return "." + ".".join(names)
        case Variable(names=names):
            return ".".join(names)
        case Identifier(name=name):
            return name
        case Dot():
            return "."
        case Nil():
            return "nil"
        case Chain(term=term, names=names):
            return f"{written(term)}.{'.'.join(names)}"
        case Command(arguments=arguments):
            return " ".join(written(argument) for argument in arguments)
        case Pipe(commands=commands):
            return f"({' | '.join(written(command) for command in commands)})"
    return type(node).__name__.lower()
