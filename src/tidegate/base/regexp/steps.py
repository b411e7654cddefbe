"""One step of all ways through a program at once: which places can be reached with the next character. Pure.

A way is the place of an instruction. The list of ways is in the order of preference, without repetition, so that a step
costs no more than the program is long, whatever the text (Thompson's construction, in the form of Pike's machine).
"""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum

from tidegate.base.errors import LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.base.regexp.program import Condition, Op, Program
from tidegate.base.regexp.runes import Bounds, code_of

MOST_WORK = 100_000_000
"""How many instructions are looked at for one decision, at most: a minute's work."""

Saved = tuple[int, "Saved"] | None
"""The slots that are set at one place on the way, as a chain; all of them get the same position."""

Link = tuple[int, Saved]
"""Where a way comes from: the index of the way before, and the slots that were set since."""

BORN: Link = (-1, None)
"""The link of a way that begins here: the match begins here."""


class Before(IntEnum):
    """What the character before a place was, as far as the program asks."""

    OTHER = 0
    WORD = 1
    NEWLINE = 2
    NOTHING = 3


@frozen
class Step:
    """What came of a step: the ways after the character and each one's link; `match` is the link of the match that ends
    before the character, and then no way is left that is worse than it.
    """

    ways: tuple[int, ...]
    links: tuple[Link, ...]
    match: Link | None


_SPLIT, _SAVE, _ASSERT, _RUNE = int(Op.SPLIT), int(Op.SAVE), int(Op.ASSERT), int(Op.RUNE)


class Stepper:
    """Steps of one program. `visited` counts the instructions looked at: the work done."""

    def __init__(self, program: Program):
        self._program = program
        self._conditions = program.conditions
        self.visited = 0
        self._allowed = MOST_WORK
        self.anchored = self._begins_with_the_text()

    def renew(self) -> None:
        """Let MOST_WORK count from here."""
        self._allowed = self.visited + MOST_WORK

    def step(self, ways: tuple[int, ...], before: Before, char: str | None, *, born: bool) -> Step:
        """One step from `ways`; `char` is None at the end of the text. `born`: a match may also begin after it.

        LimitExceeded where more than MOST_WORK instructions were looked at.
        """
        if self.visited > self._allowed:
            raise LimitExceeded(
                f"the regular expression took more than {MOST_WORK} steps",
                remedy="write it with fewer and smaller repetitions",
            )
        leaves, match = self._reach(ways, self._holding(before, char))
        if char is None:
            return Step((), (), match)
        code = code_of(char)
        after: dict[int, Link] = {}
        last: Bounds | None = None
        takes = 0
        for target, bounds, link in leaves:
            if bounds is not last:
                last, takes = bounds, bisect_right(bounds, code) & 1
            if takes and target not in after:
                after[target] = link
        if born and match is None and 0 not in after:
            after[0] = BORN
        return Step(tuple(after), tuple(after.values()), match)

    def before(self, char: str) -> Before:
        """What a character is to the place after it."""
        if char == "\n":
            return Before.NEWLINE if self._conditions & Condition.BEGIN_LINE else Before.OTHER
        asked = self._conditions & (Condition.WORD_BOUNDARY | Condition.NO_WORD_BOUNDARY)
        return Before.WORD if asked and _is_word(char) else Before.OTHER

    def _holding(self, before: Before, char: str | None) -> int:
        """The conditions that hold between two characters."""
        if not self._conditions:
            return 0
        holding = 0
        if before is Before.NOTHING:
            holding |= Condition.BEGIN_TEXT | Condition.BEGIN_LINE
        elif before is Before.NEWLINE:
            holding |= Condition.BEGIN_LINE
        if char is None:
            holding |= Condition.END_TEXT | Condition.END_LINE
        elif char == "\n":
            holding |= Condition.END_LINE
        boundary = (before is Before.WORD) is not (char is not None and _is_word(char))
        return holding | (Condition.WORD_BOUNDARY if boundary else Condition.NO_WORD_BOUNDARY)

    def _reach(self, ways: tuple[int, ...], holding: int) -> tuple[list[tuple[int, Bounds, Link]], Link | None]:
        """The RUNE instructions that can be reached without a character, up to the first MATCH; and that one's link."""
        program = self._program
        ops, targets, operands, sets = program.ops, program.targets, program.operands, program.sets
        leaves: list[tuple[int, Bounds, Link]] = []
        seen: set[int] = set()
        for index, way in enumerate(ways):
            if way in seen:
                continue
            if ops[way] == _RUNE:
                seen.add(way)
                leaves.append((targets[way], sets[way], (index, None)))
                continue
            stack: list[tuple[int, Saved]] = [(way, None)]
            while stack:
                place, saved = stack.pop()
                if place in seen:
                    continue
                seen.add(place)
                op = ops[place]
                if op == _RUNE:
                    leaves.append((targets[place], sets[place], (index, saved)))
                elif op == _SPLIT:
                    stack += (operands[place], saved), (targets[place], saved)
                elif op == _SAVE:
                    stack.append((targets[place], (operands[place], saved)))
                elif op == _ASSERT:
                    if operands[place] & holding:
                        stack.append((targets[place], saved))
                else:
                    self.visited += len(seen)
                    return leaves, (index, saved)
        self.visited += len(seen)
        return leaves, None

    def _begins_with_the_text(self) -> bool:
        """Whether nothing matches but from the very beginning: without it, nothing can be reached."""
        everything = sum(Condition) & ~Condition.BEGIN_TEXT
        leaves, match = self._reach((0,), everything)
        return not leaves and match is None


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")
