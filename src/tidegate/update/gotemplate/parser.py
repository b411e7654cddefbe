"""Builds a template's tree from its tokens, by the rules of Go's text/template/parse. Pure."""

from __future__ import annotations

from collections.abc import Container

from tidegate.base.errors import Where
from tidegate.update.gotemplate.lexer import Token, tokenize
from tidegate.update.gotemplate.literals import read_character, read_number, unquote
from tidegate.update.gotemplate.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Jump,
    Literal,
    Nil,
    Node,
    Operand,
    Pipe,
    Template,
    Text,
    Variable,
)
from tidegate.update.gotemplate.values import TemplateError

LENGTH_LIMIT = 64 * 1024
DEPTH_LIMIT = 100
_STARTS = frozenset({"bool", "char", "dot", "field", "word", "number", "raw", "string", "variable", "("})
_NOT_COMMANDS = (Dot, Nil, Literal)


def parse(template: str, functions: Container[str]) -> Template:
    """Read a template. Raises TemplateError for what Go would refuse, or past LENGTH_LIMIT characters."""
    if len(template) > LENGTH_LIMIT:
        raise TemplateError(f"the template is longer than {LENGTH_LIMIT} characters")
    return _Parser(tokenize(template), functions).run()


class _Parser:
    def __init__(self, tokens: list[Token], functions: Container[str]):
        self._tokens = tokens
        self._functions = functions
        self._at = 0
        self._variables = ["$"]
        self._loops = 0
        self._depth = 0
        self._defined: dict[str, list[Node]] = {}

    def run(self) -> Template:
        body: list[Node] = []
        while self._peek().kind != "eof":
            if self._is_define():
                self._define()
                continue
            node = self._node()
            if isinstance(node, str):
                raise self._error(f"unexpected {{{{{node}}}}}")
            if node is not None:
                body.append(node)
        return Template(body, self._defined)

    # tokens

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token.kind != "eof":
            self._at += 1
        return token

    def _skip_space(self) -> Token:
        while self._peek().kind == "space":
            self._at += 1
        return self._peek()

    def _next_word(self) -> Token:
        self._skip_space()
        return self._next()

    def _error(self, message: str) -> TemplateError:
        where = Where("commit message", self._tokens[min(self._at, len(self._tokens) - 1)].line)
        return TemplateError(f"the template does not parse: {message}", where=where)

    def _expect_right(self, context: str) -> None:
        token = self._next_word()
        if token.kind != "right":
            raise self._error(f"unexpected {token.text!r} in {context}")

    # lists of nodes

    def _is_define(self) -> bool:
        at = self._at
        if self._peek().kind != "left":
            return False
        self._next()
        token = self._skip_space()
        self._at = at
        return token.kind == "keyword" and token.text == "define"

    def _define(self) -> None:
        self._next()
        self._next_word()
        name = self._name("define clause")
        self._expect_right("define clause")
        self._add_template(name, self._subtemplate("define"))

    def _add_template(self, name: str, body: list[Node]) -> None:
        """A name may be defined again only where one of the two bodies says nothing; that one gives way."""
        if _is_empty(self._defined.get(name, [])):
            self._defined[name] = body
        elif not _is_empty(body):
            raise self._error(f"multiple definition of template {name!r}")

    def _subtemplate(self, context: str) -> list[Node]:
        outer_variables, outer_loops = self._variables, self._loops
        self._variables, self._loops = ["$"], 0
        body, end = self._list()
        if end != "end":
            raise self._error(f"unexpected {{{{{end}}}}} in {context}")
        self._variables, self._loops = outer_variables, outer_loops
        return body

    def _name(self, context: str) -> str:
        token = self._next_word()
        name = unquote(token.text) if token.kind in ("string", "raw") else None
        if name is None:
            raise self._error(f"unexpected {token.text!r} in {context}")
        return name

    def _list(self) -> tuple[list[Node], str]:
        """Nodes up to `end` or `else`, which is the second value; its closing delimiter is taken for `end` alone."""
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._error(f"more than {DEPTH_LIMIT} levels of nesting")
        body: list[Node] = []
        while self._peek().kind != "eof":
            node = self._node()
            if isinstance(node, str):
                self._depth -= 1
                return body, node
            if node is not None:
                body.append(node)
        raise self._error("unexpected EOF: an {{end}} is missing")

    def _node(self) -> Node | str | None:
        token = self._next()
        if token.kind == "text":
            return Text(token.text)
        return self._action()

    def _action(self) -> Node | str | None:
        token = self._skip_space()
        if token.kind != "keyword" or token.text == "nil":
            kept = len(self._variables)
            pipe = self._pipeline("command", "right")
            del self._variables[kept + len(pipe.variables) :]
            return Action(pipe)
        self._next()
        match token.text:
            case "if" | "with" | "range":
                return self._control(token.text)
            case "end":
                self._expect_right("end")
                return "end"
            case "else":
                return "else"
            case "break" | "continue":
                return self._jump(token.text)
            case "template":
                return self._call(token.line)
            case "block":
                return self._block(token.line)
        raise self._error(f"unexpected {{{{{token.text}}}}}")

    def _control(self, keyword: str) -> Branch:
        kept = len(self._variables)
        pipe = self._pipeline(keyword, "right")
        if keyword == "range":
            self._loops += 1
        body, end = self._list()
        if keyword == "range":
            self._loops -= 1
        otherwise = self._otherwise(keyword) if end == "else" else None
        del self._variables[kept:]
        return Branch(keyword, pipe, body, otherwise)

    def _otherwise(self, keyword: str) -> list[Node]:
        """What follows `else`: `{{else if …}}` and `{{else with …}}` close with the whole."""
        token = self._skip_space()
        if token.kind == "keyword" and token.text == keyword and keyword in ("if", "with"):
            self._next()
            self._depth += 1
            if self._depth > DEPTH_LIMIT:
                raise self._error(f"more than {DEPTH_LIMIT} levels of nesting")
            branch = self._control(keyword)
            self._depth -= 1
            return [branch]
        self._expect_right("else")
        body, end = self._list()
        if end != "end":
            raise self._error("expected end; found {{else}}")
        return body

    def _jump(self, keyword: str) -> Jump:
        if not self._loops:
            raise self._error(f"{{{{{keyword}}}}} outside {{{{range}}}}")
        self._expect_right(keyword)
        return Jump(keyword)

    def _call(self, line: int) -> Call:
        name = self._name("template clause")
        pipe = None
        if self._skip_space().kind == "right":
            self._next()
        else:
            pipe = self._pipeline("template clause", "right")
        return Call(name, pipe, line)

    def _block(self, line: int) -> Call:
        name = self._name("block clause")
        pipe = self._pipeline("block clause", "right")
        self._add_template(name, self._subtemplate("block clause"))
        return Call(name, pipe, line)

    # pipelines

    def _pipeline(self, context: str, end: str) -> Pipe:
        pipe = Pipe(self._skip_space().line)
        self._declarations(pipe, context)
        while True:
            token = self._next_word()
            if token.kind == end:
                break
            if token.kind not in _STARTS and not (token.kind == "keyword" and token.text == "nil"):
                raise self._error(f"unexpected {token.text!r} in {context}")
            self._at -= 1
            pipe.commands.append(self._command())
        if not pipe.commands:
            raise self._error(f"missing value for {context}")
        for number, command in enumerate(pipe.commands[1:], 2):
            first = command.arguments[0]
            if isinstance(first, _NOT_COMMANDS) or type(first).__name__ == "Number":
                raise self._error(f"non executable command in pipeline stage {number}")
        return pipe

    def _declarations(self, pipe: Pipe, context: str) -> None:
        while self._skip_space().kind == "variable":
            start = self._at
            variable = self._next()
            sign = self._skip_space()
            if sign.kind in (":=", "="):
                self._next()
                pipe.assigns = sign.kind == "="
                self._declare(pipe, variable)
                return
            if sign.kind != ",":
                self._at = start
                return
            self._next()
            self._declare(pipe, variable)
            following = self._skip_space().kind
            if context != "range" or len(pipe.variables) > 1:
                raise self._error(f"too many declarations in {context}")
            if following not in ("variable", "right", ")"):
                raise self._error("range can only initialize variables")

    def _declare(self, pipe: Pipe, variable: Token) -> None:
        pipe.variables.append(variable.text)
        self._variables.append(variable.text)

    def _command(self) -> Command:
        arguments: list[Operand] = []
        while True:
            self._skip_space()
            operand = self._operand()
            if operand is not None:
                arguments.append(operand)
            token = self._next()
            if token.kind == "space":
                continue
            if token.kind in ("right", ")"):
                self._at -= 1
            elif token.kind != "|":
                raise self._error(f"unexpected {token.text!r} in operand")
            break
        if not arguments:
            raise self._error("empty command")
        return Command(arguments)

    def _operand(self) -> Operand | None:
        term = self._term()
        if term is None or self._peek().kind != "field":
            return term
        names: list[str] = []
        while self._peek().kind == "field":
            names.append(self._next().text[1:])
        if isinstance(term, Field):
            return Field((*term.names, *names))
        if isinstance(term, Variable):
            return Variable((*term.names, *names))
        if isinstance(term, _NOT_COMMANDS) or type(term).__name__ == "Number":
            raise self._error("unexpected . after a term")
        return Chain(term, tuple(names))

    def _term(self) -> Operand | None:
        token = self._next_word()
        match token.kind:
            case "word":
                if token.text not in self._functions:
                    raise self._error(f"function {token.text!r} not defined")
                return Identifier(token.text)
            case "dot":
                return Dot()
            case "field":
                return Field((token.text[1:],))
            case "variable":
                if token.text not in self._variables:
                    raise self._error(f"undefined variable {token.text!r}")
                return Variable((token.text,))
            case "(":
                return self._parenthesis()
            case "keyword" if token.text == "nil":
                return Nil()
            case "bool":
                return Literal(token.text == "true", token.text)
            case "string" | "raw" | "char" | "number":
                return self._literal(token)
        self._at -= token.kind != "eof"
        return None

    def _parenthesis(self) -> Pipe:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._error(f"more than {DEPTH_LIMIT} levels of nesting")
        pipe = self._pipeline("parenthesized pipeline", ")")
        self._depth -= 1
        return pipe

    def _literal(self, token: Token) -> Operand:
        if token.kind in ("string", "raw"):
            value = unquote(token.text)
            if value is not None:
                return Literal(value, token.text)
        else:
            number = read_character(token.text) if token.kind == "char" else read_number(token.text)
            if number is not None:
                return number
        raise self._error(f"bad syntax: {token.text}")


def _is_empty(body: list[Node]) -> bool:
    return all(isinstance(node, Text) and not node.text.strip("\t\n\v\f\r \x85\xa0") for node in body)
