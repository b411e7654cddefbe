"""The steps that were taken once, kept as an automaton: what most characters cost is looking up the next state. Pure.

A state is a dict from a character to the next state, so that a whole text is run by `reduce` or `accumulate`. States
are made when they are first needed, and are all forgotten when they get too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from tidegate.base.regexp.steps import Before, Link, Saved, Step, Stepper

MOST_CELLS = 60_000
"""How much may be kept: a cell is a way of a state or of a step, about 100 bytes."""

_STATE_CELLS = 8


class Found(IntEnum):
    """Whether a match has been found."""

    NOT_YET = 0
    BEFORE = 1
    NOW = 2
    """… that ends before the character just taken."""


class State(dict[str, "State"]):
    """What can still happen. `steps` tells for each character how the ways go on."""

    __slots__ = ("_automaton", "_end", "before", "found", "steps", "ways")

    def __init__(self, automaton: Automaton, ways: tuple[int, ...], before: Before, found: Found):
        super().__init__()
        self._automaton = automaton
        self.ways = ways
        self.before = before
        self.found = found
        self.steps: dict[str, Step] = {}
        self._end: Step | None = None

    def __missing__(self, char: str) -> State:
        following = self._automaton.follow(self, char)
        self[char] = following
        return following

    @property
    def end(self) -> Link | None:
        """The match that ends here, if the text does."""
        if self._end is None:
            self._end = self._automaton.stepper.step(self.ways, self.before, None, born=False)
        return self._end.match


class Automaton:
    """The states of one program. Where `only_whether` there is a match is asked, a state in which one has been found
    has no ways any more, and the order of the ways does not matter.
    """

    def __init__(self, stepper: Stepper, *, only_whether: bool):
        self.stepper = stepper
        self._only_whether = only_whether
        self._states: dict[tuple[tuple[int, ...], Before, Found], State] = {}
        self.cells = 0
        self.start = self._state((0,), Before.NOTHING, Found.NOT_YET)
        """The state before the first character."""

    def follow(self, state: State, char: str) -> State:
        """The state after a character, when it is asked for the first time."""
        stepper = self.stepper
        born = not stepper.anchored and state.found is Found.NOT_YET
        step = stepper.step(state.ways, state.before, char, born=born)
        if self.cells > MOST_CELLS:
            self._forget()
        found = Found.NOW if step.match else Found(min(state.found, Found.BEFORE))
        if not self._only_whether:
            state.steps[char] = step
            self.cells += len(step.ways) + 1
            return self._state(step.ways, stepper.before(char), found)
        if found:
            return self._state((), Before.OTHER, Found.BEFORE)
        return self._state(tuple(sorted(step.ways)), stepper.before(char), found)

    def _state(self, ways: tuple[int, ...], before: Before, found: Found) -> State:
        key = (ways, before if ways else Before.OTHER, found)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(self, *key)
            self.cells += len(ways) + _STATE_CELLS
        else:
            self.cells += 1
        return state

    def _forget(self) -> None:
        """Start anew. The states hold each other, so they are taken apart; what a trail needs of them stays."""
        for state in self._states.values():
            state.clear()
        self._states.clear()
        self.cells = 0
        self.start = self._state((0,), Before.NOTHING, Found.NOT_YET)


def slots_of(trail: Sequence[State], text: str, groups: int) -> list[int] | None:
    """Where the groups of the best match are, from the states before each character and after the last: two positions
    a group, -1 where it has none. None where nothing matches.
    """
    ending = _ending(trail, text)
    if ending is None:
        return None
    position, (index, saved) = ending
    slots = [-1] * (2 * groups)
    slots[1] = position
    for state, char in zip(trail[position - 1 :: -1], text[position - 1 :: -1], strict=False) if position else ():
        if saved is not None:
            _set(slots, saved, position)
        index, saved = state.steps[char].links[index]
        if index < 0:
            break
        position -= 1
    if saved is not None:
        _set(slots, saved, position)
    slots[0] = position
    return slots


def _set(slots: list[int], saved: Saved, position: int) -> None:
    """Going backwards, what is set first counts."""
    while saved is not None:
        slot, saved = saved
        if slots[slot] < 0:
            slots[slot] = position


def _ending(trail: Sequence[State], text: str) -> tuple[int, Link] | None:
    """The position at which the best match ends, and its link there: the last found is the best."""
    last = trail[-1]
    match = last.end
    if match is not None:
        return len(text), match
    if last.found is Found.NOT_YET:
        return None
    position = len(text)
    while trail[position].found is not Found.NOW:
        position -= 1
    match = trail[position - 1].steps[text[position - 1]].match
    assert match is not None
    return position - 1, match
