"""From chunks of a program's output to lines, each bounded. Pure."""

from __future__ import annotations

LINE_LIMIT = 16 * 1024
_LONGEST_CHARACTER = 4


class Piece(str):
    """A part of a line so long that it comes in pieces: the next line goes on with it."""

    __slots__ = ()


class LineSplitter:
    """Takes bytes as they come and gives whole lines; one longer than `limit` bytes comes in pieces."""

    def __init__(self, limit: int = LINE_LIMIT):
        self._limit = limit
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that this chunk completes."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        lines = [piece for line in whole for piece in self._pieces(line)]
        while len(rest) > self._limit:
            end = _end_of_character(rest, self._limit)
            lines.append(Piece(_text(rest[:end])))
            rest = rest[end:]
        self._rest = rest
        return lines

    def end(self) -> list[str]:
        """What is left at the end: a last line without a newline."""
        rest, self._rest = self._rest, b""
        return self._pieces(rest) if rest else []

    def _pieces(self, line: bytes) -> list[str]:
        line = line.removesuffix(b"\r")
        pieces: list[str] = []
        while len(line) > self._limit:
            end = _end_of_character(line, self._limit)
            pieces.append(Piece(_text(line[:end])))
            line = line[end:]
        return [*pieces, _text(line)]


def _end_of_character(data: bytes, end: int) -> int:
    """The place at or shortly before `end` where no UTF-8 character is torn apart; `end` where it is no UTF-8."""
    for place in range(end, max(end - _LONGEST_CHARACTER, 0), -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return end


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
