"""What an expression is compiled to: instructions for the set of all ways through it, in the order of preference. Pure.

While an expression is read, its parts are `Part`s: code with relative jumps that runs off its end, so that repeating
one is copying it. `link` makes a Program of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from tidegate.base.frozen import frozen
from tidegate.base.regexp.runes import Bounds


class Op(IntEnum):
    """What an instruction does."""

    RUNE = 0
    """Take a character of the set."""
    SPLIT = 1
    """Go on at both; the first is preferred."""
    JUMP = 2
    SAVE = 3
    """Group n begins where slot 2n says, and ends where slot 2n+1 does."""
    ASSERT = 4
    """Go on where the condition holds."""
    MATCH = 5


class Condition(IntEnum):
    """What can be asked of a place between characters; bits, because several hold at once."""

    BEGIN_TEXT = 1
    END_TEXT = 2
    BEGIN_LINE = 4
    END_LINE = 8
    WORD_BOUNDARY = 16
    NO_WORD_BOUNDARY = 32


class Kind(IntEnum):
    """What the outermost thing of a part is, as far as that matters for joining it with others."""

    LITERAL = 0
    CLASS = 1
    CONCAT = 2
    ALTERNATE = 3
    OTHER = 4


class Instruction(NamedTuple):
    """An instruction of a part. `to` and `other` are offsets to go on at; `operand` is a slot or a condition."""

    op: Op
    to: int = 1
    other: int = 0
    operand: int = 0
    bounds: Bounds = ()


@frozen
class Part:
    """A piece of an expression. `height` is that of its syntax tree and `repeats` the largest product of the counted
    repetitions inside one another, both as Go limits them; `nullable` says whether it may take nothing.
    """

    code: Sequence[Instruction]
    kind: Kind = Kind.OTHER
    nullable: bool = True
    height: int = 1
    repeats: int = 1


EMPTY = Part(())


def rune(bounds: Bounds, kind: Kind) -> Part:
    """One character of a set."""
    return Part((Instruction(Op.RUNE, bounds=bounds),), kind, nullable=False)


def assertion(condition: Condition) -> Part:
    """Nothing, at a place that is so."""
    return Part((Instruction(Op.ASSERT, operand=condition),))


def capture(part: Part, group: int) -> Part:
    """A part whose place is kept as a group."""
    code = (Instruction(Op.SAVE, operand=2 * group), *part.code, Instruction(Op.SAVE, operand=2 * group + 1))
    return Part(code, Kind.OTHER, part.nullable, part.height + 1, part.repeats)


def concatenation(parts: Sequence[Part]) -> Part:
    """One part after the other. Neighbouring literals are one thing to Go's limit of the height."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return EMPTY
    code: list[Instruction] = []
    for part in parts:
        code += part.code
    literal = all(part.kind is Kind.LITERAL for part in parts)
    return Part(
        code,
        Kind.LITERAL if literal else Kind.CONCAT,
        all(part.nullable for part in parts),
        1 if literal else _joined_height(parts, Kind.CONCAT),
        max(part.repeats for part in parts),
    )


def alternation(parts: Sequence[Part]) -> Part:
    """One part or another; an earlier one is preferred."""
    if len(parts) == 1:
        return parts[0]
    code: list[Instruction] = []
    end = sum(len(part.code) + 2 for part in parts) - 2
    for part in parts[:-1]:
        code += (Instruction(Op.SPLIT, 1, len(part.code) + 2), *part.code)
        code.append(Instruction(Op.JUMP, end - len(code)))
    code += parts[-1].code
    return Part(
        code,
        Kind.ALTERNATE,
        any(part.nullable for part in parts),
        _joined_height(parts, Kind.ALTERNATE),
        max(part.repeats for part in parts),
    )


def repeated_size(part: Part, least: int, most: int | None) -> int:
    """How many instructions `repeated` makes."""
    return len(part.code) * max(1, least if most is None else most) + (2 if most is None else most - least)


def repeated(part: Part, least: int, most: int | None, *, greedy: bool, product: int) -> Part:
    """A part that often; `most` is None for no end. `product` becomes `repeats`."""
    height = part.height + 1
    if most == 0 or not part.code:
        return Part((), height=height, repeats=product)
    if most is None:
        head = list(part.code) * max(0, least - 1)
        tail = _star(part, greedy=greedy) if least == 0 else _plus(part.code, greedy=greedy)
        return Part([*head, *tail], Kind.OTHER, least == 0 or part.nullable, height, product)
    code = list(part.code) * least
    step = len(part.code) + 1
    for left in range(most - least, 0, -1):
        code += (_split(1, left * step, greedy=greedy), *part.code)
    kind = part.kind if least == most == 1 else Kind.OTHER
    return Part(code, kind, least == 0 or part.nullable, height, product)


def _star(part: Part, *, greedy: bool) -> list[Instruction]:
    """A loop; where the part may take nothing, one that is entered or not, so that nothing is tried in order."""
    if part.nullable:
        loop = _plus(part.code, greedy=greedy)
        return [_split(1, len(loop) + 1, greedy=greedy), *loop]
    size = len(part.code)
    return [_split(1, size + 2, greedy=greedy), *part.code, Instruction(Op.JUMP, -size - 1)]


def _plus(code: Sequence[Instruction], *, greedy: bool) -> list[Instruction]:
    return [*code, _split(-len(code), 1, greedy=greedy)]


def _split(again: int, on: int, *, greedy: bool) -> Instruction:
    return Instruction(Op.SPLIT, *((again, on) if greedy else (on, again)))


def _joined_height(parts: Sequence[Part], kind: Kind) -> int:
    return 1 + max(part.height - (part.kind is kind) for part in parts)


@frozen
class Program:
    """An expression ready to be run. Instruction n is `ops[n]`; `targets[n]` is where it goes on (a SPLIT: first),
    `operands[n]` a SPLIT's second target, a SAVE's slot or an ASSERT's condition, `sets[n]` a RUNE's characters.
    `names` holds each group's name, "" where it has none, and "" for the whole at 0.
    """

    ops: bytes
    targets: Sequence[int]
    operands: Sequence[int]
    sets: Sequence[Bounds]
    names: tuple[str, ...]

    @property
    def conditions(self) -> int:
        """The bits of all conditions that are asked for."""
        found = 0
        for op, operand in zip(self.ops, self.operands, strict=True):
            if op == Op.ASSERT:
                found |= operand
        return found


def link(part: Part, names: Sequence[str]) -> Program:
    """The program of a whole expression; it begins at instruction 0."""
    ops = bytearray()
    targets: list[int] = []
    operands: list[int] = []
    sets: list[Bounds] = []
    for place, instruction in enumerate(part.code):
        ops.append(instruction.op)
        targets.append(place + instruction.to)
        operands.append(place + instruction.other if instruction.op is Op.SPLIT else instruction.operand)
        sets.append(instruction.bounds)
    ops.append(Op.MATCH)
    targets.append(len(part.code))
    operands.append(0)
    sets.append(())
    for place, op in enumerate(ops):
        targets[place] = _past_jumps(ops, targets, targets[place])
        if op == Op.SPLIT:
            operands[place] = _past_jumps(ops, targets, operands[place])
    return Program(bytes(ops), targets, operands, sets, tuple(names))


def _past_jumps(ops: bytearray, targets: Sequence[int], place: int) -> int:
    while ops[place] == Op.JUMP:
        place = targets[place]
    return place
