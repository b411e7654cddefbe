"""The control's loop, turn by turn: which commit ran, which image came of it, which commit that caused. Pure."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.engine.journey import pushed_images
from tidegate.engine.view import Objects
from tidegate.kinds.conditions import STALLED, find
from tidegate.kinds.objects import Object, annotation

AUTHOR = "tidegate.dev/author"
LOOP = "FeedbackLoop"
SHORT = 12


def turns(objects: Objects) -> list[str]:
    """A line for each run that is over and whose consequence is known: the next run's commit, or the suspension."""
    runs = sorted(objects["WorkflowRun"], key=lambda run: int(run["spec"].get("runNumber", 0)))
    lines = []
    for number, run in enumerate(runs):
        if (run.get("status") or {}).get("status") != "completed":
            break
        after = _commit(runs[number + 1]) if number + 1 < len(runs) else _end(objects)
        if not after:
            break
        image = ", ".join(pushed_images(run)) or str((run.get("status") or {}).get("conclusion"))
        lines.append(f"{_commit(run)} → run #{run['spec'].get('runNumber')} → {image} → {after}")
    return lines


def suspension(objects: Objects) -> str:
    """The event by which the guard told that it suspended the automation; empty where there is none yet."""
    for event in objects.get("Event", ()):
        if event.get("reason") == LOOP:
            involved = event.get("involvedObject") or {}
            named = f"{involved.get('kind')}/{involved.get('namespace')}/{involved.get('name')}"
            return f"{event.get('lastTimestamp')} {event.get('type')} {LOOP} {named}: {event.get('message')}"
    return ""


class TurnTeller:
    """Says each turn once, as soon as it is whole."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._told = 0

    def tell(self, objects: Objects) -> None:
        """Say the turns that are new."""
        for number, line in enumerate(turns(objects)[self._told :], self._told + 1):
            self._say(f"Turn {number}: {line}")
            self._told = number


def _commit(run: Object) -> str:
    author = (annotation(run, AUTHOR) or "").partition(" <")[0]
    return f"commit {str(run['spec'].get('commit', ''))[:SHORT]} ({author or 'somebody'})"


def _end(objects: Objects) -> str:
    for automation in objects["ImageUpdateAutomation"]:
        stalled = find((automation.get("status") or {}).get("conditions") or [], STALLED) or {}
        if stalled.get("reason") == LOOP:
            return "no commit: the automation is suspended"
    return ""
