"""Whether a Go regular expression may match a text with holes somewhere. Pure. Never False where it may."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from tidegate.base.regexp.parser import parse
from tidegate.base.regexp.program import Condition, Op, Program
from tidegate.lint.holes import Token, takes, tokens_of

_MOST_STATES = 200_000
_NOT_BEGUN = -1
_State = tuple[int, bool, int]  # the token that comes next, whether a character was taken, and the instruction


def may_match(pattern: str, text: str) -> bool:
    """Whether some text that the holes allow is matched. Raises InvalidInput where the pattern is no expression."""
    program, tokens = parse(pattern), tokens_of(text)
    seen: set[_State] = {(0, False, _NOT_BEGUN)}
    waiting = list(seen)
    while waiting:
        state = waiting.pop()
        if (state[2] >= 0 and program.ops[state[2]] == Op.MATCH) or len(seen) > _MOST_STATES:
            return True
        for following in _following(program, tokens, state):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _following(program: Program, tokens: list[Token], state: _State) -> Iterator[_State]:
    place, taken, at = state
    if place < len(tokens) and tokens[place].repeats:
        yield place + 1, taken, at
    if at == _NOT_BEGUN:
        yield place, taken, 0
        if place < len(tokens):
            yield place + (not tokens[place].repeats), True, at
        return
    match program.ops[at]:
        case Op.RUNE:
            if place < len(tokens) and _shares(program.sets[at], tokens[place]):
                yield place + (not tokens[place].repeats), True, program.targets[at]
        case Op.SPLIT:
            yield place, taken, program.targets[at]
            yield place, taken, program.operands[at]
        case Op.ASSERT:
            if _may_hold(program.operands[at], at_start=not taken, at_end=place == len(tokens)):
                yield place, taken, program.targets[at]
        case _:
            yield place, taken, program.targets[at]


def _may_hold(condition: int, *, at_start: bool, at_end: bool) -> bool:
    """The ends of the text are known; what holds between characters is taken to hold."""
    if condition == Condition.BEGIN_TEXT:
        return at_start
    return at_end if condition == Condition.END_TEXT else True


def _shares(bounds: tuple[int, ...], token: Token) -> bool:
    """Whether a set of code points and a token have a character in common; of a hole, any of ASCII's or others."""
    if not token.is_hole:
        return bool(bisect_right(bounds, ord(token.character)) & 1)
    return any(takes(token.character, chr(code)) and bisect_right(bounds, code) & 1 for code in range(128)) or bool(
        bounds and bounds[-1] > 128 and takes(token.character, "\u00e9")
    )
