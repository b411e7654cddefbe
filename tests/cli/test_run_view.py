from datetime import UTC, datetime

from tidegate.cli.run_view import next_steps, view_lines

NOW = datetime(2026, 1, 15, 12, 1, tzinfo=UTC)
RUN = {
    "metadata": {"name": "shop-ci-1", "annotations": {"tidegate.dev/title": "Add a page"}},
    "spec": {
        "workflow": ".github/workflows/ci.yaml", "runNumber": 3, "event": "push", "ref": "refs/heads/main",
        "commit": "0123456789abcdef0123456789abcdef01234567",
    },
    "status": {
        "status": "completed", "conclusion": "failure", "attempt": 2, "message": "build: too long",
        "startedAt": "2026-01-15T12:00:00Z", "completedAt": "2026-01-15T12:00:30Z",
        "jobs": [
            {"name": "build", "status": "completed", "conclusion": "failure", "startedAt": "2026-01-15T12:00:01Z",
             "completedAt": "2026-01-15T12:00:29Z",
             "steps": [{"number": 1, "name": "Set up job", "status": "completed", "conclusion": "success"}]},
            {"name": "last", "status": "completed", "conclusion": "skipped"},
        ],
    },
}  # fmt: skip


def test_a_run_is_shown_with_its_jobs_and_steps():
    assert view_lines(RUN, NOW) == [
        "shop-ci-1: failure after 30s",
        "Add a page",
        ".github/workflows/ci.yaml #3, attempt 2: push of main at 0123456789ab",
        "build: too long",
        "",
        "JOB     STEP         STATUS    STARTED                DURATION",
        "build                failure   2026-01-15T12:00:01Z   28s",
        "        Set up job   success   -                      -",
        "last                 skipped   -                      -",
    ]


def test_a_run_that_was_never_looked_at_is_queued():
    assert view_lines({"metadata": {"name": "a"}, "spec": {"workflow": "ci.yaml"}}, NOW) == [
        "a: queued", "-", "ci.yaml #?, attempt 1: - of - at -",
    ]  # fmt: skip


def test_what_to_type_next_depends_on_how_far_it_is():
    assert next_steps({"metadata": {"name": "a"}}) == ["follow it: tidegate logs -f a"]
    assert next_steps(RUN)[-1] == "run what failed again: tidegate runs rerun shop-ci-1 --failed"
    over = {"metadata": {"name": "a"}, "status": {"status": "completed", "conclusion": "success"}}
    assert next_steps(over) == ["see what it wrote: tidegate logs a"]
