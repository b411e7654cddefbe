"""How long selecting from 100 000 tags takes in a process of its own, without and with a filter."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median

COUNT = 100_000
ROUNDS = 5
FILTER = ["--filter", r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "--extract", "$ts", "--exclude", r"^.*\.sig$"]
CASES = [
    ("semver", ["--semver", ">=1.0.0"], lambda n: f"{n % 40}.{n % 977}.{n}"),
    ("numerical", ["--numerical", "asc"], str),
    ("alphabetical", ["--alphabetical", "asc"], lambda n: f"build-{n * 2654435761 % 2**28:07x}"),
    (
        "numerical, filtered",
        ["--numerical", "asc", *FILTER],
        lambda n: f"main-{n * 2654435761 % 2**28:07x}-{n + 10**9}",
    ),
    (
        "semver, filtered",
        ["--semver", "*", "--filter", r"^v(\d+\.\d+\.\d+)-", "--extract", "$1"],
        lambda n: f"v{n % 40}.{n % 977}.{n}-{n * 2654435761 % 2**28:07x}",
    ),
]


def measure() -> Iterator[str]:
    empty = _seconds(["--semver", "*"], "0.0.0\n")
    yield f"the process itself     {empty:.2f} s"
    for name, options, tag in CASES:
        taken = _seconds(options, "".join(f"{tag(number)}\n" for number in range(COUNT)))
        yield f"{name:<20}   {taken - empty:.2f} s for {COUNT} tags"


def _seconds(options: list[str], tags: str) -> float:
    taken = []
    with tempfile.TemporaryFile("w+") as file:
        file.write(tags)
        for _ in range(ROUNDS):
            file.seek(0)
            started = time.perf_counter()
            command = [sys.executable, "-m", "tidegate", "try", "select", *options]
            subprocess.run(command, check=True, stdin=file, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - started)
    return median(taken)
