"""Expands `strategy.matrix` into combinations, by GitHub's rules for include and exclude."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.workflow.expressions import from_python, text_of
from tidegate.workflow.expressions.values import equal
from tidegate.workflow.model import Job, Strategy
from tidegate.workflow.resolve import Scope, boolean_value, number_value, text_value, value_of

MOST = 256


@frozen
class Combination:
    """One job of a matrix: its `matrix` context (empty where there is none) and its `strategy` context."""

    matrix: Mapping[str, Any]
    strategy: Mapping[str, Any]


def expand(job: Job, scope: Scope) -> tuple[Combination, ...]:
    """The combinations of a job; one with an empty matrix where it has none.

    Raises InvalidInput where the matrix is empty, has more than 256 combinations, or an expression gives a wrong kind.
    """
    strategy = job.strategy
    if strategy.matrix is None:
        return (Combination({}, _context(strategy, scope, 0, 1)),)
    data = value_of(strategy.matrix, scope)
    combinations = combine(data, strategy.matrix.where)
    total = len(combinations)
    return tuple(
        Combination(matrix, _context(strategy, scope, place, total)) for place, matrix in enumerate(combinations)
    )


def combine(matrix: object, where: Where) -> list[dict[str, Any]]:
    """The combinations of a matrix given as data: the product, less excludes, then includes."""
    if not isinstance(matrix, Mapping):
        raise InvalidInput("the matrix is no mapping", where=where)
    axes = {name: _list(matrix[name], name, where) for name in matrix if name not in ("include", "exclude")}
    size = 1
    for values in axes.values():
        size *= len(values)
    if size > MOST:
        raise InvalidInput(f"the matrix has {size} combinations; {MOST} are the most", where=where)
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    excludes = [_entry(item, "exclude", where) for item in _list(matrix.get("exclude", []), "exclude", where)]
    kept = [combination for combination in product if not any(_covers(item, combination) for item in excludes)]
    includes = [_entry(item, "include", where) for item in _list(matrix.get("include", []), "include", where)]
    result = _include(kept, includes, set(axes))
    if not result:
        raise InvalidInput(
            "the matrix has no combination", where=where, remedy="give it a value, or skip the job by if"
        )
    if len(result) > MOST:
        raise InvalidInput(f"the matrix has {len(result)} combinations; {MOST} are the most", where=where)
    return result


def _list(value: object, name: str, where: Where) -> Sequence[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"the matrix's {name!r} is no list", where=where)
    return value


def _entry(item: object, name: str, where: Where) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise InvalidInput(f"an item of the matrix's {name!r} is no mapping", where=where)
    return item


def _covers(part: Mapping[str, Any], combination: Mapping[str, Any]) -> bool:
    """Whether a combination has all values of a partial one."""
    return all(name in combination and _same(value, combination[name]) for name, value in part.items())


def _same(left: object, right: object) -> bool:
    """Deep equality; scalars compare as expressions compare them."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return equal(from_python(left), from_python(right))


def _include(
    kept: Sequence[Mapping[str, Any]], includes: Sequence[Mapping[str, Any]], axes: set[str]
) -> list[dict[str, Any]]:
    """Each include goes into every combination whose original values it leaves as they are; else it is one more."""
    result = [dict(combination) for combination in kept]
    added: list[dict[str, Any]] = []
    for include in includes:
        shared = {name: value for name, value in include.items() if name in axes}
        targets = [place for place, combination in enumerate(kept) if _covers(shared, combination)]
        for place in targets:
            result[place].update(include)
        if not targets:
            added.append(dict(include))
    return result + added


def _context(strategy: Strategy, scope: Scope, place: int, total: int) -> dict[str, Any]:
    limit = number_value(strategy.max_parallel, scope) if strategy.max_parallel is not None else total
    return {
        "fail-fast": boolean_value(strategy.fail_fast, scope),
        "job-index": place,
        "job-total": total,
        "max-parallel": max(1, int(limit)),
    }


def job_title(job: Job, combination: Combination, scope: Scope) -> str:
    """The job's name as shown: its own evaluated, else its id, with the matrix's values in brackets."""
    if job.name is not None:
        title = text_value(job.name, scope.having(matrix=combination.matrix, strategy=combination.strategy))
        if title.strip():
            return title
    values = [text_of(from_python(value)) for value in _flat(combination.matrix)]
    return f"{job.id} ({', '.join(values)})" if values else job.id


def _flat(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in _flat(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _flat(item)]
    return [] if value is None or value == "" else [value]
