"""A template's functions with their Go signatures, so that a wrong argument fails where Go's would. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.values import ANY_MAP, MISSING, Map, Slice, TemplateError, type_name

NILABLE = ("any", ANY_MAP, "time")


@frozen
class Function:
    """`parameters` are Go types (`string`, `int`, `float64`, `bool`, `any`, `value`, a map); the last repeats where
    `variadic`. `value` takes an argument as it is, MISSING included. `call` gets the run's Budget first.
    """

    name: str
    parameters: tuple[str, ...]
    call: Callable[..., Any]
    variadic: bool = False

    @property
    def fixed(self) -> int:
        """How many arguments there must be."""
        return len(self.parameters) - self.variadic

    def parameter(self, number: int) -> str:
        """The type of an argument by its position."""
        return self.parameters[min(number, len(self.parameters) - 1)]

    def check_count(self, count: int) -> None:
        """TemplateError for too few or too many arguments."""
        if count < self.fixed or (count > self.fixed and not self.variadic):
            wanted = f"at least {self.fixed}" if self.variadic else str(self.fixed)
            raise TemplateError(f"wrong number of args for {self.name}: want {wanted} got {count}")


class Registry(dict[str, Function]):
    """Functions by name, filled by decorators."""

    def add(self, signature: str, *names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a function: `signature` lists Go types (`string, int, ...any`); by its own name or by `names`."""
        types = [part.strip() for part in signature.split(",")] if signature else []
        variadic = bool(types) and types[-1].startswith("...")
        parameters = tuple(part.removeprefix("...").replace("dict", ANY_MAP) for part in types)

        def register(call: Callable[..., Any]) -> Callable[..., Any]:
            for name in names or (call.__name__.strip("_"),):
                self[name] = Function(name, parameters, call, variadic)
            return call

        return register


def convert(value: Any, parameter: str) -> Any:
    """A value for a parameter, as text/template checks it; TemplateError where it does not fit."""
    if parameter == "value":
        return value
    if value is MISSING or value is None:
        if parameter in NILABLE:
            return None
        raise TemplateError(f"invalid value; expected {parameter}")
    if parameter == "any" or fits(value, parameter):
        return value
    raise TemplateError(f"wrong type for value; expected {parameter}; got {type_name(value)}")


def fits(value: Any, parameter: str) -> bool:
    """Whether a value is of a Go type."""
    if parameter == ANY_MAP:
        return isinstance(value, Map) and value.type == ANY_MAP
    return type_name(value) == parameter


def invoke(function: Function, budget: Budget, arguments: list[Any]) -> Any:
    """Call a function whose arguments fit. What goes wrong inside is the template's fault."""
    budget.step()
    try:
        return budget.value(function.call(budget, *arguments))
    except TemplateError as error:
        raise TemplateError(f"error calling {function.name}: {error.message}") from None
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise TemplateError(f"error calling {function.name}: {error}") from None


def items_of(value: Any, what: str) -> list[Any]:
    """The elements of a slice; TemplateError for anything else."""
    if isinstance(value, Slice):
        return value.items
    raise TemplateError(f"cannot {what} on type {type_name(value)}")
