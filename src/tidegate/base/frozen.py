"""Values: immutable classes with slots, as the standard library's dataclasses; a class takes half of the memory.

There a class that is both frozen and slotted keeps its version without slots for good, since the methods that refuse
assignments refer to it; with hundreds of classes that is megabytes. Here all share these methods, and the one that
shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T], /) -> type[T]: ...


@overload
def frozen(*, order: bool = False, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T] | None = None, /, *, order: bool = False, kw_only: bool = False) -> Any:
    """The decorator, as `@dataclass(frozen=True, slots=True)`: the same fields, comparison, hash and text. What is
    assigned to later raises dataclasses.FrozenInstanceError.
    """

    def made(given: type[T]) -> type[T]:
        own = frozenset(vars(given))
        slotted = dataclass(frozen=True, slots=True, repr=False, order=order, kw_only=kw_only)(given)
        shared = {"__setattr__": _refuse, "__delattr__": _refuse, "__repr__": _shown}
        for name, method in shared.items():
            if name not in own:
                setattr(slotted, name, method)
        return slotted

    return made if cls is None else made(cls)


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise FrozenInstanceError(f"{name!r} of {type(self).__name__} is not to be changed")


def _shown(self: Any) -> str:
    """As dataclasses show it: the fields that may be shown."""
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"
