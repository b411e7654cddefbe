"""How commands speak when something failed: what, where, and the next step, on stderr; never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

from tidegate.base.errors import TidegateError

DEBUG = "TIDEGATE_DEBUG"
LONGEST = 100_000
"""Characters of one line."""


def guarded(work: Callable[[], int]) -> int:
    """The exit code of `work`; 1 where it raises a TidegateError, alone or out of task groups, once it is printed."""
    try:
        return work()
    except TidegateError as error:
        print_error(error)
    except BaseExceptionGroup as group:
        known, other = group.split(TidegateError)
        if known is None or other is not None:
            raise
        for one in _leaves(known):
            print_error(one)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not stumble over the pipe at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def print_error(error: TidegateError) -> None:
    """An error as people see it."""
    sys.stderr.write(f"Error: {said(error.explain())}\n")


def said(text: str) -> str:
    """A line that names things of others (files, values), as a terminal may show it."""
    from tidegate.base.showing import showable  # noqa: PLC0415 - a command's start is measured

    return showable(text, LONGEST)


def as_shown(diff: bytes, *, terminal: bool) -> bytes:
    """A diff as it is written: to a terminal without what that would obey, else every byte, for `git apply`."""
    if not terminal:
        return diff
    from tidegate.base.showing import showable  # noqa: PLC0415

    text = diff.decode("utf-8", "replace").replace("\r\n", "\n")
    return showable(text, len(text)).encode()


def explain_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For sys.excepthook: a fault of ours in one line; with TIDEGATE_DEBUG set, with its traceback."""
    if os.environ.get(DEBUG):
        traceback.print_exception(kind, error, trace)
        return
    last = traceback.extract_tb(trace)[-1:] if trace else []
    place = f" at {last[0].filename}:{last[0].lineno}" if last else ""
    sys.stderr.write(
        f"Error: a fault of Tidegate's own: {kind.__name__}: {error}{place}\n"
        f"please report it; with {DEBUG}=1 in the environment the whole traceback is shown\n"
    )


def _leaves(group: BaseExceptionGroup[TidegateError]) -> Iterator[TidegateError]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one
