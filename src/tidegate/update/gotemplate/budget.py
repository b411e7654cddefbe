"""What one run of a template may use: steps, and bytes made on the way. One line could ask for gigabytes."""

from __future__ import annotations

from typing import Any

from tidegate.base.errors import LimitExceeded
from tidegate.update.gotemplate.values import Map, Slice

STEPS = 200_000
OUTPUT_BYTES = 256 * 1024
WORK_BYTES = 16 * 1024 * 1024
_ITEM_BYTES = 64


class Budget:
    """Counts down; LimitExceeded when something is used up."""

    def __init__(self, *, steps: int = STEPS, output: int = OUTPUT_BYTES, work: int = WORK_BYTES):
        self._steps = steps
        self._output = output
        self._work = work

    def step(self) -> None:
        """One node, element or call."""
        self._steps -= 1
        if self._steps < 0:
            raise LimitExceeded("the template takes too many steps")

    def write(self, text: str) -> str:
        """Text for the output."""
        self._output -= len(text)
        if self._output < 0:
            raise LimitExceeded(f"the template writes more than {OUTPUT_BYTES} characters")
        return text

    def reserve(self, size: int) -> None:
        """Before something of `size` bytes is made."""
        self._work -= max(0, size)
        if self._work < 0:
            raise LimitExceeded("the template makes too much on the way")

    def text(self, text: str) -> str:
        """A string that was made."""
        self.reserve(len(text))
        return text

    def value(self, value: Any) -> Any:
        """A value that a function made."""
        if isinstance(value, str):
            self.reserve(len(value))
        elif isinstance(value, Slice):
            self.reserve(len(value.items) * _ITEM_BYTES)
        elif isinstance(value, Map):
            self.reserve(len(value.entries) * _ITEM_BYTES)
        return value
