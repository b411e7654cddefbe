"""The lines of Git's protocols, gitprotocol-common(5): a length, then the line. Pure."""

from __future__ import annotations

from collections.abc import Iterator

FLUSH, DELIMITER = b"0000", b"0001"
_PROGRESS, _FATAL = 2, 3


def packet(line: bytes) -> bytes:
    """One line, of at most 65 516 bytes."""
    return b"%04x" % (len(line) + 4) + line


def packets(answer: bytes) -> Iterator[bytes]:
    """The lines up to the flush that ends them. ValueError where there is none, or something after it."""
    position = 0
    while answer[position : position + 4] != FLUSH:
        size = int(answer[position : position + 4], 16)
        if size < 5 or position + size > len(answer):
            raise ValueError("a broken line")
        yield answer[position + 4 : position + size]
        position += size
    if position + 4 != len(answer):
        raise ValueError("more than one answer")


def bands(answer: bytes) -> tuple[bytes, bytes]:
    """What comes in the bands of an answer: the data, and the words for people. ValueError where it is broken, or the
    other side says that it has failed.
    """
    data, words = bytearray(), bytearray()
    for line in packets(answer):
        if line[0] == _FATAL:
            raise ValueError("the other side has failed")
        (words if line[0] == _PROGRESS else data).extend(line[1:])
    return bytes(data), bytes(words)
