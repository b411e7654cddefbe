"""A compiled expression: does it match, and where? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from operator import getitem

from tidegate.base.regexp.alike import Alike, Kept
from tidegate.base.regexp.automaton import Automaton, Found, State, slots_of
from tidegate.base.regexp.parser import parse
from tidegate.base.regexp.steps import Link, Stepper

LARGEST_TRAIL = 4_000_000
"""Up to this product of text and program, all states on the way are kept to find the groups."""


class Regexp:
    """What Go's `regexp.MustCompile` makes. Time is linear in the text, memory is bounded; not for several threads at
    once. Text is taken as a str of code points; half of a surrogate pair stands for bytes that are no UTF-8.
    """

    def __init__(self, text: str):
        """InvalidInput, in Go's words, where the expression is none."""
        self.text = text
        program = parse(text)
        self.size = len(program.ops)
        """How many instructions the expression comes to."""
        self.names: Sequence[str] = program.names
        """Each group's name, "" where it has none; the first is the whole match."""
        self._stepper = Stepper(program)
        self._whether = Automaton(self._stepper, only_whether=True)
        self._where = Automaton(self._stepper, only_whether=False)
        self._characters = 0
        self._alike = Alike(program)
        self._kept_whether: Kept[bool] = Kept()
        self._kept_where: Kept[Sequence[int]] = Kept()

    @property
    def steps(self) -> int:
        """The work done so far: instructions looked at, and characters read."""
        return self._stepper.visited + self._characters

    @property
    def kept(self) -> int:
        """How much is remembered of the texts so far, in cells of about 100 bytes."""
        return self._whether.cells + self._where.cells

    def renew(self) -> None:
        """Let the limit of work count from here: what comes is another decision's."""
        self._stepper.renew()

    def matches(self, text: str) -> bool:
        """Whether the expression matches somewhere in the text."""
        self._characters += len(text)
        key = self._alike.key(text)
        if key is None:
            return self._run(text)
        kept = self._kept_whether.get(key)
        if kept is None:
            kept = self._run(text)
            self._kept_whether.keep(key, kept)
        return kept

    def find(self, text: str) -> Sequence[int] | None:
        """The first match, the preferred one of those that begin there: where each group begins and ends (at 2n and
        2n+1), -1 where it took no part. None where nothing matches.
        """
        self._characters += len(text)
        key = self._alike.key(text)
        if key is None:
            return self._search(text)
        kept = self._kept_where.get(key)
        if kept is None:
            kept = self._search(text) or ()
            self._kept_where.keep(key, kept)
        return kept or None

    def _run(self, text: str) -> bool:
        last = reduce(getitem, text, self._whether.start)
        return last.found is not Found.NOT_YET or last.end is not None

    def _search(self, text: str) -> Sequence[int] | None:
        if len(text) * self.size > LARGEST_TRAIL:
            return self._find_in_long(text)
        trail: list[State] = list(accumulate(text, getitem, initial=self._where.start))
        return slots_of(trail, text, len(self.names))

    def _find_in_long(self, text: str) -> Sequence[int] | None:
        """As `find`, carrying each way's groups along instead of keeping the states."""
        state = self._where.start
        unset = (-1,) * (2 * len(self.names))
        carried: list[tuple[int, ...]] = [(0, *unset[1:])]
        best: tuple[int, ...] | None = None
        for position, char in enumerate(text):
            following = state[char]
            step = state.steps[char]
            if step.match is not None:
                best = _carry(carried, step.match, position, unset, ended=True)
            carried = [_carry(carried, link, position, unset) for link in step.links]
            state = following
            if not carried:
                return best
        if state.end is not None:
            best = _carry(carried, state.end, len(text), unset, ended=True)
        return best


def _carry(
    carried: Sequence[tuple[int, ...]], link: Link, position: int, unset: tuple[int, ...], *, ended: bool = False
) -> tuple[int, ...]:
    index, saved = link
    if index < 0:
        return (position + 1, *unset[1:])
    if saved is None and not ended:
        return carried[index]
    slots = list(carried[index])
    while saved is not None:
        slot, saved = saved
        slots[slot] = position
    if ended:
        slots[1] = position
    return tuple(slots)
