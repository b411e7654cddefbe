"""What is wrong in a workflow, as people read it: the place, the line, a caret and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen


@frozen
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


def in_order(problems: Iterable[Problem], files: Sequence[str]) -> tuple[Problem, ...]:
    """Problems by file (`files` first, in their order), line and column, each once."""

    def place(problem: Problem) -> tuple[int, str, int, int]:
        where = problem.where
        file = where.file or ""
        return files.index(file) if file in files else len(files), file, where.line or 0, where.column or 0

    return tuple(sorted(dict.fromkeys(problems), key=place))


class InvalidWorkflow(InvalidInput):
    """A workflow that cannot be read or run, with every problem in it; `str` shows them all."""

    code = "InvalidWorkflow"

    def __init__(self, problems: tuple[Problem, ...]):
        super().__init__("\n".join(problem.render() for problem in problems))
        self.problems = problems
        self.where = problems[0].where

    def __str__(self) -> str:
        return self.message
