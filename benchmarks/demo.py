"""The demonstration's cycles station by station, and the long-lived process's resident memory at its peak."""

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TIMEOUT = 1200
CYCLE_GOAL = 8.0
MEMORY_GOAL = 64.0


def measure() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        command = [sys.executable, "-m", "tidegate", "demo", "--json", "--keep", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout is not None
            report = json.loads(process.stdout.readline() or "{}")
            if not report.get("ok"):
                sys.exit("the demonstration failed: run make demo to see why")
            peak = peak_memory(int(json.loads((Path(folder) / "home/server.json").read_text())["pid"]))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=TIMEOUT)
    for number, cycle in enumerate(report["cycles"], 1):
        stations = ", ".join(f"{one['name']} {one['seconds']:.2f}" for one in cycle["stations"])
        yield f"cycle {number}   {cycle['total_seconds']:.2f} s  ({stations})"
    yield f"the goal of a warm cycle is {CYCLE_GOAL:g} s"
    yield f"peak resident memory of the long-lived process   {peak:.1f} MiB  (the goal is {MEMORY_GOAL:g} MiB)"


def peak_memory(pid: int) -> float:
    """The high-water mark of a process's resident set, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
