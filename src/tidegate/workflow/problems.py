"""What is wrong in a workflow, as people read it: the place, the line, a caret and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.base.errors import InvalidInput, Where


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a workflow: what, where, the source line with the culprit's length, and the way out."""

    message: str
    where: Where
    help: str | None = None
    source: str = ""
    length: int = 1

    def render(self) -> str:
        """`file:line:col: message`, the line, a caret under the culprit, and a help line."""
        lines = [f"{self.where.file}:{self.where.line or 1}:{self.where.column or 1}: {self.message}"]
        if self.source:
            number = str(self.where.line or 1)
            column = (self.where.column or 1) - 1
            indent = "".join("\t" if character == "\t" else " " for character in self.source[:column])
            caret = "^" * max(1, min(self.length, len(self.source) - column))
            lines += [f"  {number} | {self.source}", f"  {' ' * len(number)} | {indent}{caret}"]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


class InvalidWorkflow(InvalidInput):
    """A workflow that cannot be read or run, with every problem in it; `str` shows them all."""

    code = "InvalidWorkflow"

    def __init__(self, problems: tuple[Problem, ...]):
        super().__init__("\n".join(problem.render() for problem in problems))
        self.problems = problems
        self.where = problems[0].where

    def __str__(self) -> str:
        return self.message
