"""From tokens to a tree. Names are checked here: a misspelt context or function is refused before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from tidegate.workflow.expressions.errors import MAX_DEPTH, ExpressionError
from tidegate.workflow.expressions.functions import BUILT_IN, Function
from tidegate.workflow.expressions.lexer import Kind, Token, tokenize
from tidegate.workflow.expressions.syntax import Call, Comparison, Constant, Index, Logical, Name, Node, Not, Star

_EQUALITY = (Kind.EQUAL, Kind.NOT_EQUAL)
_ORDER = (Kind.LESS, Kind.LESS_EQUAL, Kind.GREATER, Kind.GREATER_EQUAL)
_CONSTANTS = {Kind.TRUE: True, Kind.FALSE: False, Kind.NULL: None}


def parse(text: str, contexts: Iterable[str] = (), functions: Mapping[str, Function] | None = None) -> Node:
    """The tree of an expression without its `${{ }}`.

    `contexts` are the names it may read, `functions` (by lower-case name) what it may call beside the built-in ones.
    Raises ExpressionError with the culprit's position.
    """
    return _Parser(tokenize(text), contexts, functions or {}).whole()


class _Parser:
    def __init__(self, tokens: list[Token], contexts: Iterable[str], functions: Mapping[str, Function]):
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._contexts = {name.lower(): name for name in contexts}
        self._functions = {**BUILT_IN, **functions}

    def whole(self) -> Node:
        if self._here.kind is Kind.END:
            raise ExpressionError("an expression is missing here", remedy="write ${{ expression }}")
        node = self._expression()
        self._need(Kind.END)
        return node

    @property
    def _here(self) -> Token:
        return self._tokens[self._place]

    def _take(self, *kinds: Kind) -> Token | None:
        token = self._here
        if token.kind not in kinds:
            return None
        self._place += 1
        return token

    def _need(self, kind: Kind) -> None:
        if not self._take(kind):
            raise self._unexpected(None if kind is Kind.END else f"{kind.value!r} is expected here")

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._enter()
        yield
        self._depth -= 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested more than {MAX_DEPTH} deep", position=self._here.position)

    def _expression(self) -> Node:
        with self._deeper():
            return self._or()

    def _or(self) -> Node:
        first = self._and()
        if self._here.kind is not Kind.OR:
            return first
        operands = [first]
        with self._deeper():
            while self._take(Kind.OR):
                operands.append(self._and())
        return Logical(Kind.OR, tuple(operands))

    def _and(self) -> Node:
        first = self._equality()
        if self._here.kind is not Kind.AND:
            return first
        operands = [first]
        with self._deeper():
            while self._take(Kind.AND):
                operands.append(self._equality())
        return Logical(Kind.AND, tuple(operands))

    def _equality(self) -> Node:
        first = self._order()
        rest: list[tuple[Kind, Node]] = []
        while token := self._take(*_EQUALITY):
            rest.append((token.kind, self._order()))
        return Comparison(first, tuple(rest)) if rest else first

    def _order(self) -> Node:
        first = self._unary()
        rest: list[tuple[Kind, Node]] = []
        while token := self._take(*_ORDER):
            rest.append((token.kind, self._unary()))
        return Comparison(first, tuple(rest)) if rest else first

    def _unary(self) -> Node:
        if not self._take(Kind.NOT):
            return self._dereferenced()
        with self._deeper():
            return Not(self._unary())

    def _dereferenced(self) -> Node:
        grouped = self._here.kind is Kind.LEFT_PARENTHESIS
        node = self._call() if self._here.kind is Kind.NAME else self._primary()
        if not grouped and not isinstance(node, Call | Name):
            return node
        depth = self._depth
        while token := self._take(Kind.LEFT_BRACKET, Kind.DOT):
            node = Index(node, self._bracketed() if token.kind is Kind.LEFT_BRACKET else self._property())
            self._enter()
        self._depth = depth
        return node

    def _bracketed(self) -> Node | Star:
        index = Star() if self._take(Kind.STAR) else self._expression()
        self._need(Kind.RIGHT_BRACKET)
        return index

    def _property(self) -> Node | Star:
        if self._take(Kind.STAR):
            return Star()
        token = self._take(Kind.NAME)
        if token is None:
            raise self._unexpected("a property's name is expected after a dot")
        return Constant(token.text)

    def _call(self) -> Node:
        name = self._here
        self._place += 1
        if not self._take(Kind.LEFT_PARENTHESIS):
            return self._context(name)
        arguments: list[Node] = []
        while not self._take(Kind.RIGHT_PARENTHESIS):
            arguments.append(self._expression())
            if self._here.kind is not Kind.RIGHT_PARENTHESIS:
                self._need(Kind.COMMA)
        self._check_call(name, len(arguments))
        return Call(name.text, tuple(arguments), name.position)

    def _context(self, token: Token) -> Name:
        if token.text.lower() not in self._contexts:
            known = ", ".join(sorted(self._contexts.values())) or "none"
            raise ExpressionError(
                f"unrecognized named-value {token.text!r}",
                position=token.position,
                length=len(token.text),
                remedy=f"known here: {known}; write a text in single quotes",
            )
        return Name(token.text, token.position)

    def _check_call(self, name: Token, count: int) -> None:
        function = self._functions.get(name.text.lower())
        problem = None
        if function is None:
            problem = f"unrecognized function {name.text!r}"
        elif count < function.minimum:
            problem = f"too few arguments for {name.text}: {count}, at least {function.minimum} are needed"
        elif count > function.maximum:
            problem = f"too many arguments for {name.text}: {count}, at most {function.maximum} are allowed"
        elif name.text.lower() == "case" and count % 2 == 0:
            problem = "case needs an odd number of arguments: condition, value, …, default"
        if problem:
            known = f"known here: {', '.join(sorted(self._functions))}" if function is None else None
            raise ExpressionError(problem, position=name.position, length=len(name.text), remedy=known)

    def _primary(self) -> Node:
        if token := self._take(*_CONSTANTS):
            return Constant(_CONSTANTS[token.kind])
        if token := self._take(Kind.NUMBER, Kind.STRING):
            return Constant(token.value)
        if self._take(Kind.LEFT_PARENTHESIS):
            inner = self._expression()
            self._need(Kind.RIGHT_PARENTHESIS)
            return inner
        raise self._unexpected()

    def _unexpected(self, remedy: str | None = None) -> ExpressionError:
        token = self._here
        if token.kind is Kind.END:
            return ExpressionError("unexpected end of the expression", position=token.position, remedy=remedy)
        return ExpressionError(
            f"unexpected symbol {token.text!r}", position=token.position, length=len(token.text), remedy=remedy
        )
