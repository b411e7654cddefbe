"""Asks the person at the terminal."""

from __future__ import annotations

from pathlib import Path

TERMINAL = Path("/dev/tty")


def confirmed(question: str) -> bool:
    """Whether somebody says yes. Asked at the terminal, since stdin may be a pipe; where nobody is there, it is no."""
    try:
        with TERMINAL.open("w") as shown, TERMINAL.open() as typed:
            shown.write(question)
            shown.flush()
            answer = typed.readline()
    except OSError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")
