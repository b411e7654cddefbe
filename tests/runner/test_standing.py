"""What starts without a push: schedules and workflows that follow others, decided from stored moments."""

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.runner.standing import chain_of, due_schedules, follow, standing_of
from tidegate.workflow.parse import parse_workflow

JOBS = "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n"
NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)


def standing(**files):
    texts = {f".github/workflows/{name}.yaml": text for name, text in files.items()}
    return standing_of("refs/heads/main", "c" * 40, {f: parse_workflow(t.encode(), f) for f, t in texts.items()})


def scheduled(*crons):
    lines = "".join(f"    - {{cron: '{cron}', timezone: {zone}}}\n" for cron, zone in crons)
    return standing(timed=f"on:\n  schedule:\n{lines}{JOBS}")


@pytest.mark.parametrize(
    ("cron", "zone", "since", "times", "following"),
    [
        ("*/5 * * * *", "UTC", timedelta(minutes=5), 1, timedelta(minutes=5)),
        ("*/5 * * * *", "UTC", timedelta(minutes=0), 0, timedelta(minutes=5)),
        ("30 5 * * 1-5", "UTC", timedelta(hours=1), 0, timedelta(days=3) - timedelta(hours=6.5)),  # a Friday
        # It is one hour later in Berlin, and from the next Sunday on two.
        ("0 13 * * *", "Europe/Berlin", timedelta(minutes=1), 1, timedelta(days=1)),
        ("0 13 * * 1", "Europe/Berlin", timedelta(minutes=1), 0, timedelta(days=3) - timedelta(hours=1)),
        ("0 0 1 1 *", "UTC", timedelta(days=100), 1, None),
        ("0 0 1 1 *", "UTC", timedelta(days=20), 0, None),
        ("* * * * *", "UTC", timedelta(days=4000), 1, timedelta(minutes=1)),
        ("0 3 2 * *", "UTC", timedelta(days=4000), 1, None),
    ],
)
def test_a_schedule_is_due_once_however_often_its_time_was_missed(cron, zone, since, times, following):
    due, soonest = due_schedules(scheduled((cron, zone)), NOON - since, NOON)
    assert [(one.event, one.cause) for one in due] == [("schedule", {"schedule": cron})] * times
    assert following is None or soonest == NOON + following


def test_of_missed_times_the_last_one_names_the_run():
    crons = scheduled(("0 * * * *", "UTC"), ("0 * * * *", "Europe/Berlin"))
    due, _ = due_schedules(crons, NOON - timedelta(hours=5), NOON)
    assert {one.identity.split("\0")[-1] for one in due} == {"2026-03-27T12:00:00Z"}
    assert len({one.identity for one in due}) == 2
    again, _ = due_schedules(crons, NOON - timedelta(minutes=1), NOON)
    assert [one.identity for one in again] == [one.identity for one in due]


FOLLOWER = "on: {workflow_run: {workflows: [Build], types: [%s]%s}}\n" + JOBS
BUILD = f"name: Build\non: push\n{JOBS}"


def run(name="one", *, created="12:00:00", started=None, completed=None, chain=0, ref="refs/heads/main", file="build"):
    status = {"status": "completed" if completed else "in_progress" if started else "queued", "attempt": 1}
    status |= {
        key: f"2026-03-27T{moment}Z" for key, moment in (("startedAt", started), ("completedAt", completed)) if moment
    }
    if completed:
        status["conclusion"] = "success"
    metadata = {"name": name, "namespace": "n", "creationTimestamp": f"2026-03-27T{created}Z"}
    if chain:
        metadata["annotations"] = {"tidegate.dev/chain": str(chain)}
    spec = {"repository": "a/b", "workflow": f".github/workflows/{file}.yaml", "event": "push", "ref": ref}
    spec |= {"commit": "d" * 40, "runNumber": 7}
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "WorkflowRun",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def following(types="completed", more=""):
    return standing(build=BUILD, after=FOLLOWER % (types, more))


def test_a_run_that_completes_starts_what_follows_it_once():
    stands = following()
    before = follow(stands, [run(started="12:00:01")], {})
    assert before.due == []
    after = follow(stands, [run(started="12:00:01", completed="12:00:09")], before.marks)
    (due,) = after.due
    assert (due.file, due.event, due.chain) == (".github/workflows/after.yaml", "workflow_run", 1)
    assert {name: due.cause[name] for name in ("action", "title", "branch", "conclusion", "number")} == {
        "action": "completed", "title": "Build", "branch": "main", "conclusion": "success", "number": "7",
    }  # fmt: skip
    assert follow(stands, [run(started="12:00:01", completed="12:00:09")], after.marks).due == []


def test_runs_that_end_in_the_same_second_start_one_each():
    stands = following()
    first = follow(stands, [run("one", completed="12:00:09"), run("two", started="12:00:01")], {})
    both = [run("one", completed="12:00:09"), run("two", started="12:00:01", completed="12:00:09")]
    second = follow(stands, both, first.marks)
    assert [[one.cause["run"] for one in look.due] for look in (first, second)] == [["one"], ["two"]]
    assert follow(stands, both, second.marks).due == []


def test_what_ran_before_anything_followed_starts_nothing():
    stands = following("requested, in_progress, completed")
    runs = [run("old", started="12:00:01", completed="12:00:09"), run("new", created="12:00:09")]
    first = follow(stands, runs, None)
    assert first.due == []
    later = follow(stands, [runs[0], run("new", created="12:00:09", started="12:00:10")], first.marks)
    assert [(one.cause["run"], one.cause["action"]) for one in later.due] == [("new", "in_progress")]


def test_running_again_completes_again_but_is_not_requested_again():
    stands = following("requested, in_progress, completed")
    one = run(started="12:00:01", completed="12:00:02")
    marks = follow(stands, [one], {}).marks
    again = run(started="12:01:01", completed="12:01:02")
    again["status"]["attempt"] = 2
    assert [due.cause["action"] for due in follow(stands, [again], marks).due] == ["in_progress", "completed"]


@pytest.mark.parametrize(
    ("followed", "more", "starts"),
    [
        ({}, "", True),
        ({"file": "other"}, "", False),
        ({"ref": "refs/heads/canary"}, ", branches-ignore: [canary]", False),
        ({"ref": "refs/heads/releases/10"}, ", branches: ['releases/**', '!releases/**-alpha']", True),
        ({"ref": "refs/heads/releases/10-alpha"}, ", branches: ['releases/**', '!releases/**-alpha']", False),
        ({"chain": 2}, "", True),
        ({"chain": 3}, "", False),
    ],
)
def test_which_runs_are_followed(followed, more, starts):
    """A → B → C → D → E → F: workflows E and F will not be run."""
    stands = standing(build=BUILD, other=f"name: Other\non: push\n{JOBS}", after=FOLLOWER % ("completed", more))
    assert bool(follow(stands, [run(completed="12:00:09", **followed)], {}).due) is starts


def test_what_is_no_number_is_no_chain():
    one = run()
    one["metadata"]["annotations"] = {"tidegate.dev/chain": "many"}
    assert chain_of(one) == 0
