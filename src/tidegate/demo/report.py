"""What the demonstration tells: one JSON document, or lines for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tidegate.demo.cycle import Cycle


@dataclass
class Report:
    """The outcome. `loops` counts the runs that automation commits started; `turns` tells each turn of the loop and
    `suspension` the event that ended it, where the control ran.
    """

    ok: bool = False
    url: str = ""
    service_url: str = ""
    home: str = ""
    loops: int = 0
    suspended: bool = False
    cycles: list[Cycle] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)
    suspension: str = ""

    def as_json(self) -> dict[str, Any]:
        """The document, its keys in the documented order; turns and suspension are lines for people."""
        return {name: value for name, value in asdict(self).items() if name not in ("turns", "suspension")}


def timeline(cycles: Sequence[Cycle]) -> list[str]:
    """Both cycles side by side, station by station, in seconds."""
    names = [station["name"] for station in cycles[0].stations]
    header = "".join(f"{f'cycle {number}':>12}" for number, _ in enumerate(cycles, 1))
    lines = [f"{'station':<10}{header}"]
    for index, name in enumerate(names):
        cells = (cycle.stations[index]["seconds"] if index < len(cycle.stations) else 0.0 for cycle in cycles)
        lines.append(f"{name:<10}" + "".join(f"{seconds:>10.2f} s" for seconds in cells))
    total = "".join(f"{cycle.total_seconds:>10.2f} s" for cycle in cycles)
    return [*lines, f"{'total':<10}{total}"]


def summary(cycle: Cycle) -> list[str]:
    """What one cycle carried where."""
    return [
        f"commit {cycle.commit[:12]} → {cycle.image}",
        f"  {cycle.digest} for {', '.join(cycle.platforms)}",
        f"  → commit {cycle.automation_commit[:12]} → {cycle.applied_revision}",
        f"  → answers {cycle.served_version} “{cycle.served_word}” after {cycle.total_seconds:.2f} s",
    ]


def outcome(report: Report) -> list[str]:
    """What the whole came to; of the control, each turn of the loop and the event that ended it."""
    lines = (
        ["The loop:", *(f"  {number}. {turn}" for number, turn in enumerate(report.turns, 1))] if report.turns else []
    )
    lines += [f"Runs that automation commits started: {report.loops}"]
    return [*lines, *([report.suspension] if report.suspended else [])]
