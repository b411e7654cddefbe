"""Prints tables as kubectl does: columns three blanks apart, each cell one line."""

from __future__ import annotations

from collections.abc import Sequence

import click


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their header (none where it is empty)."""
    for line in table_lines(header, rows):
        click.echo(line)


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, one for each row: of a cell of several lines the first, marked as cut."""
    every = [[first_line(cell) for cell in row] for row in ([header, *rows] if header else rows)]
    if not every:
        return []
    widths = [max(len(row[index]) for row in every) for index in range(len(every[0]))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every]


def first_line(text: str) -> str:
    """A text's first line, with an ellipsis where there are more."""
    lines = text.strip().splitlines()
    return f"{lines[0].rstrip()} …" if len(lines) > 1 else "".join(lines)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of a text, with an ellipsis where some are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
