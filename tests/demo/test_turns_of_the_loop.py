from tidegate.demo.report import Report, outcome
from tidegate.demo.turns import TurnTeller, suspension, turns


def a_run(number, commit, author, image="", status="completed"):
    return {
        "metadata": {"name": f"run-{number}", "annotations": {"tidegate.dev/author": f"{author} <x@example.com>"}},
        "spec": {"runNumber": number, "commit": commit * 40},
        "status": {"status": status, "conclusion": "success", "images": [{"reference": image}] if image else []},
    }


def an_automation(reason=None):
    conditions = [{"type": "Stalled", "status": "True", "reason": reason}] if reason else []
    return {"metadata": {"name": "web"}, "spec": {}, "status": {"conditions": conditions}}


FIRST = a_run(1, "a", "Developer", "ghcr.io/acme/web:1.0.1")
SECOND = a_run(2, "b", "Flux Image Automation", "ghcr.io/acme/web:1.0.2")
FIRST_TURN = (
    "commit aaaaaaaaaaaa (Developer) → run #1 → ghcr.io/acme/web:1.0.1 → commit bbbbbbbbbbbb (Flux Image Automation)"
)


def seen(*runs, reason=None):
    return {"WorkflowRun": runs, "ImageUpdateAutomation": [an_automation(reason)]}


def test_a_turn_is_told_once_its_consequence_is_known():
    assert turns(seen(FIRST)) == []
    assert turns(seen(SECOND, FIRST)) == [FIRST_TURN]


def test_the_last_turn_ends_with_the_suspension():
    assert turns(seen(FIRST, SECOND, reason="FeedbackLoop"))[1].endswith(
        "→ run #2 → ghcr.io/acme/web:1.0.2 → no commit: the automation is suspended"
    )


def test_each_turn_is_said_once():
    said = []
    teller = TurnTeller(said.append)
    for objects in (seen(FIRST), seen(FIRST, SECOND), seen(FIRST, SECOND)):
        teller.tell(objects)
    assert said == [f"Turn 1: {FIRST_TURN}"]


def test_the_event_of_the_suspension_is_shown_whole():
    event = {
        "reason": "FeedbackLoop",
        "type": "Warning",
        "lastTimestamp": "2026-01-15T12:00:00Z",
        "involvedObject": {"kind": "ImageUpdateAutomation", "namespace": "flux-system", "name": "web"},
        "message": "feedback loop: a <- b",
    }
    told = suspension({"Event": [event]})
    wanted = "2026-01-15T12:00:00Z Warning FeedbackLoop ImageUpdateAutomation/flux-system/web: feedback loop: a <- b"
    assert told == wanted
    report = Report(ok=True, loops=3, suspended=True, turns=["a", "b"], suspension=told)
    assert outcome(report) == ["The loop:", "  1. a", "  2. b", "Runs that automation commits started: 3", wanted]
    assert list(report.as_json()) == ["ok", "url", "service_url", "home", "loops", "suspended", "cycles"]
