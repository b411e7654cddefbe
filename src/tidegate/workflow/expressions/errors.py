"""What can be wrong with an expression, with the place of the culprit in its text."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput, LimitExceeded

MAX_LENGTH = 21_000
MAX_DEPTH = 50
MAX_RESULT = 10 * 1024 * 1024


class ExpressionError(InvalidInput):
    """An expression that cannot be read or evaluated; `position` counts characters of its text from 0."""

    code = "InvalidExpression"

    def __init__(self, message: str, *, position: int = 0, length: int = 1, remedy: str | None = None):
        super().__init__(message, remedy=remedy)
        self.position = position
        self.length = length


def check_size(characters: int) -> None:
    """Refuse a string that an expression would make longer than MAX_RESULT characters. Raises LimitExceeded."""
    if characters > MAX_RESULT:
        raise LimitExceeded(
            f"the expression makes a text longer than {MAX_RESULT} characters",
            remedy="write large texts to a file in a step, and pass the file's name on",
        )
