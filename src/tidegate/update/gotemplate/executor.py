"""Runs a parsed template over data, by the rules of Go's text/template, within a Budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.base.errors import Where
from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.formatting import text_of
from tidegate.update.gotemplate.functions import NILABLE, Function, convert, invoke
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
    Number,
    Operand,
    Pipe,
    Template,
    Text,
    Variable,
    written,
)
from tidegate.update.gotemplate.values import (
    MISSING,
    Map,
    Method,
    Slice,
    Struct,
    TemplateError,
    is_integer,
    is_true,
    type_name,
)

CALL_DEPTH = 100
_INTEGERS = ("int", "int64")


class _Absent:
    """No value comes from the command before."""


_ABSENT = _Absent()


class _JumpOut(Exception):
    def __init__(self, keyword: str):
        super().__init__(keyword)
        self.keyword = keyword


def execute(template: Template, data: Any, functions: Mapping[str, Function], budget: Budget) -> str:
    """The template's text. Raises TemplateError where Go would fail, LimitExceeded where the budget ends."""
    run = _Run(template, functions, budget)
    run.push("$", data)
    try:
        run.walk(template.body, data)
    except RecursionError:
        raise TemplateError("the template nests too deeply") from None
    return "".join(run.output)


class _Run:
    def __init__(self, template: Template, functions: Mapping[str, Function], budget: Budget):
        self.output: list[str] = []
        self._defined = template.defined
        self._functions = functions
        self._budget = budget
        self._variables: list[tuple[str, Any]] = []
        self._line = 1
        self._depth = 0

    # variables

    def push(self, name: str, value: Any) -> None:
        """A new variable."""
        self._variables.append((name, value))

    def _set(self, name: str, value: Any) -> None:
        for number in range(len(self._variables) - 1, -1, -1):
            if self._variables[number][0] == name:
                self._variables[number] = (name, value)
                return
        raise self._error(f"undefined variable: {name}")

    def _get(self, name: str) -> Any:
        for present, value in reversed(self._variables):
            if present == name:
                return value
        raise self._error(f"undefined variable: {name}")

    def _error(self, message: str) -> TemplateError:
        return TemplateError(f"the template fails: {message}", where=Where("commit message", self._line))

    # nodes

    def walk(self, body: list[Node], dot: Any) -> None:
        """Run nodes one after the other."""
        for node in body:
            self._budget.step()
            match node:
                case Text(text=text):
                    self.output.append(self._budget.write(text))
                case Action(pipe=pipe):
                    value = self._pipeline(dot, pipe)
                    if not pipe.variables:
                        self.output.append(self._budget.write(text_of(value)))
                case Branch(keyword="range"):
                    self._range(node, dot)
                case Branch():
                    self._if_or_with(node, dot)
                case Jump(keyword=keyword):
                    raise _JumpOut(keyword)
                case Call():
                    self._call_template(node, dot)

    def _if_or_with(self, node: Branch, dot: Any) -> None:
        kept = len(self._variables)
        value = self._pipeline(dot, node.pipe)
        if is_true(value):
            self.walk(node.body, value if node.keyword == "with" else dot)
        elif node.otherwise is not None:
            self.walk(node.otherwise, dot)
        del self._variables[kept:]

    def _range(self, node: Branch, dot: Any) -> None:
        kept = len(self._variables)
        value = self._pipeline(dot, node.pipe)
        count = 0
        inner = len(self._variables)
        for key, item in self._elements(value, node.pipe):
            self._budget.step()
            count += 1
            self._bind(node.pipe, key, item)
            try:
                self.walk(node.body, item)
            except _JumpOut as jump:
                if jump.keyword == "break":
                    break
            finally:
                del self._variables[inner:]
        if not count and node.otherwise is not None:
            self.walk(node.otherwise, dot)
        del self._variables[kept:]

    def _bind(self, pipe: Pipe, key: Any, item: Any) -> None:
        names = pipe.variables
        if not names:
            return
        values = [item] if len(names) == 1 else [key, item]
        for number, (name, value) in enumerate(zip(names, values, strict=True)):
            if pipe.assigns:
                self._set(name, value)
            else:
                self._variables[len(self._variables) - len(names) + number] = (name, value)

    def _elements(self, value: Any, pipe: Pipe) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, Slice):
            return iter(enumerate(list(value.items)))
        if isinstance(value, Map):
            return iter(value.sorted_items())
        if value is MISSING or value is None:
            return iter(())
        if is_integer(value):
            if len(pipe.variables) > 1:
                raise self._error(f"can't use {value} to iterate over more than one variable")
            return ((number, number) for number in range(value))
        raise self._error(f"range can't iterate over {text_of(value)}")

    def _call_template(self, node: Call, dot: Any) -> None:
        self._line = node.line
        body = self._defined.get(node.name)
        if body is None:
            raise self._error(f"template {node.name!r} not defined")
        if self._depth >= CALL_DEPTH:
            raise self._error("exceeded maximum template depth")
        value = self._pipeline(dot, node.pipe) if node.pipe else MISSING
        outer, self._variables = self._variables, [("$", value)]
        self._depth += 1
        self.walk(body, value)
        self._depth -= 1
        self._variables = outer

    # pipelines

    def _pipeline(self, dot: Any, pipe: Pipe) -> Any:
        self._line = pipe.line
        value: Any = _ABSENT
        for command in pipe.commands:
            value = self._command(dot, command, value)
            if value is None:
                value = MISSING
        for name in pipe.variables:
            if pipe.assigns:
                self._set(name, value)
            else:
                self.push(name, value)
        return value

    def _command(self, dot: Any, command: Command, final: Any) -> Any:
        first, rest = command.arguments[0], command.arguments[1:]
        match first:
            case Field(names=names):
                return self._chain(dot, dot, names, rest, final)
            case Chain(term=term, names=names):
                return self._chain(dot, self._chained(dot, term), names, rest, final)
            case Identifier(name=name):
                return self._function(dot, name, rest, final)
            case Variable(names=names) if len(names) > 1:
                return self._chain(dot, self._get(names[0]), names[1:], rest, final)
        if rest or final is not _ABSENT:
            raise self._error(f"can't give argument to non-function {written(first)}")
        match first:
            case Pipe():
                return self._pipeline(dot, first)
            case Variable(names=names):
                return self._get(names[0])
            case Dot():
                return dot
            case Nil():
                raise self._error("nil is not a command")
            case Number():
                return self._constant(first)
        return first.value

    def _chained(self, dot: Any, term: Operand) -> Any:
        if isinstance(term, Nil):
            raise self._error("indirection through explicit nil")
        return self._argument(dot, term, "value")

    def _constant(self, number: Number) -> Any:
        """A number whose type nothing else decides."""
        if number.complex is not None:
            return number.complex
        source = number.source
        hexadecimal = source.lstrip("+-")[:2] in ("0x", "0X") and not any(char in source for char in "pP")
        if number.floating is not None and not hexadecimal and not number.is_char and any(c in source for c in ".eEpP"):
            return number.floating
        if number.integer is None:
            raise self._error(f"{source} overflows int")
        return number.integer

    # fields and methods

    def _chain(self, dot: Any, receiver: Any, names: tuple[str, ...], rest: list[Operand], final: Any) -> Any:
        for name in names[:-1]:
            receiver = self._field(dot, receiver, name, [], _ABSENT)
        return self._field(dot, receiver, names[-1], rest, final)

    def _field(self, dot: Any, receiver: Any, name: str, rest: list[Operand], final: Any) -> Any:
        self._budget.step()
        if receiver is MISSING:
            return MISSING
        if receiver is None:
            raise self._error(f"nil pointer evaluating interface {{}}.{name}")
        has_arguments = bool(rest) or final is not _ABSENT
        if isinstance(receiver, Struct):
            method = receiver.method(name)
            if method is not None:
                return self._method(dot, name, method, rest, final)
            found = receiver.lookup(name)
            if found is not MISSING:
                if has_arguments:
                    raise self._error(f"{name} has arguments but cannot be invoked as function")
                return found
        elif isinstance(receiver, Map) and receiver.type.startswith("map[string]"):
            if has_arguments:
                raise self._error(f"{name} is not a method but has arguments")
            return receiver.entries.get(name, MISSING)
        raise TemplateError(
            f"can't evaluate field {name} in type {type_name(receiver)}", where=Where("commit message", self._line)
        )

    def _method(self, dot: Any, name: str, method: Method, rest: list[Operand], final: Any) -> Any:
        function = Function(name, method.parameters, lambda _budget, *arguments: method(*arguments))
        return self._call(dot, function, rest, final)

    # functions

    def _function(self, dot: Any, name: str, rest: list[Operand], final: Any) -> Any:
        function = self._functions[name]
        if name in ("and", "or"):
            return self._and_or(dot, function, rest, final)
        return self._call(dot, function, rest, final)

    def _and_or(self, dot: Any, function: Function, rest: list[Operand], final: Any) -> Any:
        function.check_count(len(rest) + (final is not _ABSENT))
        value: Any = MISSING
        for operand in rest:
            value = self._argument(dot, operand, "value")
            if is_true(value) == (function.name == "or"):
                return value
        return value if final is _ABSENT else final

    def _call(self, dot: Any, function: Function, rest: list[Operand], final: Any) -> Any:
        has_final = final is not _ABSENT
        try:
            function.check_count(len(rest) + has_final)
            arguments = [self._argument(dot, operand, function.parameter(at)) for at, operand in enumerate(rest)]
            if has_final:
                arguments.append(convert(final, function.parameter(len(rest))))
            return invoke(function, self._budget, arguments)
        except TemplateError as error:
            raise error if error.where else self._error(error.message) from None

    def _argument(self, dot: Any, operand: Operand, parameter: str) -> Any:
        match operand:
            case Nil():
                if parameter not in (*NILABLE, "value"):
                    raise self._error(f"cannot assign nil to {parameter}")
                return MISSING if parameter == "value" else None
            case Number():
                return self._number(operand, parameter)
            case Literal(value=value):
                if parameter not in ("any", "value") and type_name(value) != parameter:
                    raise self._error(f"expected {parameter}; found {written(operand)}")
                return value
            case Identifier(name=name):
                value = self._function(dot, name, [], _ABSENT)
            case _:
                value = self._command(dot, Command([operand]), _ABSENT)
        try:
            return convert(value, parameter)
        except TemplateError as error:
            raise self._error(error.message) from None

    def _number(self, number: Number, parameter: str) -> Any:
        if parameter in ("any", "value"):
            return self._constant(number)
        if parameter in _INTEGERS and number.integer is not None:
            return number.integer
        if parameter == "float64" and number.floating is not None:
            return number.floating
        raise self._error(f"expected {parameter}; found {number.source}")
