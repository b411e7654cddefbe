"""How a run's status is written: whole, in order, at once or together with what comes next."""

import asyncio

from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.runner import progress as progressing
from tidegate.runner.progress import JobProgress, RunProgress


class Stored:
    def __init__(self):
        self.patches = []

    async def __call__(self, patch):
        await asyncio.sleep(0)
        self.patches.append(patch)


async def test_a_write_is_stored_before_it_returns():
    stored = Stored()
    progress = RunProgress(stored, ManualClock(), 1)
    progress.jobs["a"] = JobProgress("a", "a", status="in_progress")
    await progress.write()
    (patch,) = stored.patches
    assert patch["status"] == "in_progress"
    assert patch["startedAt"] == "2026-01-15T12:00:00Z"
    assert patch["jobs"] == [{"id": "a", "name": "a", "status": "in_progress", "steps": []}]


async def test_changes_are_written_together_and_soon(monkeypatch):
    monkeypatch.setattr(progressing, "WRITE_DELAY", 0)
    stored = Stored()
    progress = RunProgress(stored, ManualClock(), 1)
    for number in range(5):
        progress.jobs[str(number)] = JobProgress("a", str(number))
        progress.changed()
    while not stored.patches:  # noqa: ASYNC110 - one turn of the loop at a time
        await asyncio.sleep(0)
    assert len(stored.patches) == 1
    assert len(stored.patches[0]["jobs"]) == 5
    await progress.close()


async def test_writes_at_the_same_time_are_one():
    stored = Stored()
    progress = RunProgress(stored, ManualClock(), 1)
    await asyncio.gather(*(progress.write() for _ in range(5)))
    assert len(stored.patches) <= 2


async def test_the_status_of_very_many_jobs_waits_for_company():
    stored = Stored()
    progress = RunProgress(stored, ManualClock(), 1)
    for number in range(progressing.CROWD + 1):
        progress.jobs[str(number)] = JobProgress("a", str(number))
    await progress.write()
    assert stored.patches == []
    await progress.complete("success")
    (patch,) = stored.patches
    assert (patch["status"], patch["conclusion"]) == ("completed", "success")


async def test_an_attempt_says_nothing_of_the_one_before():
    stored = Stored()
    await RunProgress(stored, ManualClock(), 2).write()
    assert {"conclusion": None, "completedAt": None, "message": None, "images": []}.items() <= stored.patches[0].items()


async def test_what_changes_while_a_write_is_under_way_is_written_after_it(monkeypatch):
    """Else a step that begins just then is not seen before the next one begins."""
    monkeypatch.setattr("tidegate.runner.progress.WRITE_DELAY", 0)
    written, go = [], asyncio.Event()

    async def slow(patch):
        written.append(patch["message"])
        await go.wait()

    progress = RunProgress(slow, ManualClock(), 1)
    progress.message = "one"
    progress.changed()
    await settle()
    progress.message = "two"
    progress.changed()
    await settle()
    assert written == ["one"]
    go.set()
    await settle()
    assert written == ["one", "two"]
    await progress.close()


async def test_a_run_says_what_its_jobs_wait_for_until_they_have_begun():
    stored = Stored()
    progress = RunProgress(stored, ManualClock(), 1)
    job = progress.jobs["a"] = JobProgress("a", "build", status="in_progress", message="ErrImagePull: not found")
    await progress.write()
    assert stored.patches[-1]["message"] == "build: ErrImagePull: not found"
    assert stored.patches[-1]["jobs"][0]["message"] == "ErrImagePull: not found"
    job.message = ""
    await progress.write()
    assert stored.patches[-1]["message"] is None
    assert "message" not in stored.patches[-1]["jobs"][0]
