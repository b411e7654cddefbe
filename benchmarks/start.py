"""How long `tidegate --help` takes, beside a Python that does nothing."""

import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

ROUNDS = 15
GOAL = 0.3


def measure() -> Iterator[str]:
    bare = seconds([sys.executable, "-c", "pass"])
    ours = seconds([sys.executable, "-m", "tidegate", "--help"])
    yield f"tidegate --help   {ours:.3f} s  ({ours / bare:.1f} × a bare Python's {bare:.3f} s; the goal is {GOAL} s)"


def seconds(command: list[str]) -> float:
    """The median of ROUNDS, each of them whole."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return median(taken)
