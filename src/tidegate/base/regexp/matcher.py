"""Which of many texts match any of a list of expressions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.regexp.expression import Regexp


def compiled(pattern: str, *, field: str) -> Regexp:
    """The expression of a field of a spec or request; InvalidInput names the field."""
    try:
        return Regexp(pattern)
    except InvalidInput as error:
        raise InvalidInput(error.message, where=Where(field=field), remedy=error.remedy) from None


class AnyOf:
    """Matches what any of its expressions matches."""

    def __init__(self, patterns: Sequence[str], *, field: str):
        """InvalidInput names the pattern by its place in `field`."""
        self._expressions = [compiled(text, field=f"{field}[{place}]") for place, text in enumerate(patterns)]

    @property
    def steps(self) -> int:
        """The work that all of them have done so far."""
        return sum(expression.steps for expression in self._expressions)

    def test(self) -> Callable[[str], bool]:
        """The test for one lot of texts, of which the expressions' limit of work counts anew."""
        tests = [expression.matches for expression in self._expressions]
        for expression in self._expressions:
            expression.renew()
        if len(tests) == 1:
            return tests[0]
        return lambda text: any(test(text) for test in tests)


@lru_cache(maxsize=8)
def any_of(patterns: tuple[str, ...], *, field: str) -> AnyOf:
    """An AnyOf, kept with what it has learned of its texts for the next time."""
    return AnyOf(patterns, field=field)
