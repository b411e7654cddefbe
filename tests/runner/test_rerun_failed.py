"""Where only what failed is to run again: what runs, what stays, and what those that run see of what stays."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runner.test_run_conclusions import World, job

from tidegate.engine.manual_clock import ManualClock
from tidegate.runner.logs import RunLogs
from tidegate.runner.progress import JobProgress
from tidegate.runner.request import JobOutcome


@pytest.fixture
def logs(tmp_path):
    return RunLogs(tmp_path / "logs", ManualClock())


def carrying(logs, before):
    """Takes over what succeeded in the attempt before, as the controller does."""
    succeeded = {job["name"]: job for job in before.as_json()["jobs"] if job["conclusion"] == "success"}

    def carry(name):
        outputs = logs.carry("run", before.attempt, before.attempt + 1, name) if name in succeeded else None
        return None if outputs is None else (JobProgress.from_json(succeeded[name]), outputs)

    return carry


async def attempt(logs, jobs, before=None, **outcomes):
    """One attempt, after another one that ended so."""
    world = World(jobs, **outcomes)
    world.progress.attempt = 1 if before is None else before.progress.attempt + 1
    if before is not None:
        world.execution.carry = carrying(logs, before.progress)
    world.conclusion = await world.run()
    for one in world.progress.jobs.values():
        if one.conclusion == "success" and one.name in world.began:
            outcome = outcomes.get(one.id, "success")
            outputs = outcome(None).outputs if callable(outcome) else {}
            logs.keep_outputs("run", world.progress.attempt, one.name, outputs)
    return world


def says(**outputs):
    return lambda _order: JobOutcome("success", outputs)


async def test_what_failed_and_what_needs_it_runs_and_the_rest_stays(logs):
    jobs = job("a") + job("b", "needs: a") + job("c", "needs: b") + job("d") + job("e", "needs: d")
    first = await attempt(logs, jobs, b="failure")
    assert first.shown() == {"a": "success", "b": "failure", "c": "skipped", "d": "success", "e": "success"}
    second = await attempt(logs, jobs, first)
    assert second.began == ["b", "c"]
    assert second.conclusion == "success"
    assert set(second.shown()) == {"a", "b", "c", "d", "e"}


async def test_those_that_run_see_the_outputs_of_those_that_stay(logs):
    jobs = job("a") + job("b", "needs: a") + job("c", "needs: [a, b]", "if: needs.a.outputs.word == 'tide'")
    first = await attempt(logs, jobs, a=says(word="tide"), b="failure")
    second = await attempt(logs, jobs, first)
    assert second.began == ["b", "c"]
    third = await attempt(logs, jobs, await attempt(logs, jobs, first, b="failure"))
    assert third.began == ["b", "c"], "they are handed on from attempt to attempt"


async def test_a_job_that_succeeded_runs_again_where_one_that_it_needs_does(logs):
    jobs = job("a") + job("b", "needs: a", "if: always()")
    first = await attempt(logs, jobs, a="failure")
    assert (await attempt(logs, jobs, first)).began == ["a", "b"]


async def test_a_job_behind_a_skipped_one_runs_again_where_what_that_one_needs_does(logs):
    jobs = job("a") + job("b", "needs: a") + job("c", "needs: b", "if: always()")
    first = await attempt(logs, jobs, a="failure")
    assert first.shown() == {"a": "failure", "b": "skipped", "c": "success"}
    assert (await attempt(logs, jobs, first, a="failure")).began == ["a", "c"]


async def test_only_the_failed_combinations_of_a_matrix_run(logs):
    jobs = job("a", "strategy: {matrix: {n: [1, 2, 3]}, fail-fast: false}") + job("b", "needs: a") + job("c")

    def second_fails(order):
        return JobOutcome("failure" if order.combination.matrix["n"] == 2 else "success")

    world = World(jobs, a=second_fails)
    assert await world.run() == "failure"
    for name in ("a (1)", "a (3)", "c"):
        logs.keep_outputs("run", 1, name, {})
    assert (await attempt(logs, jobs, world)).began == ["a (2)", "b"]


async def test_a_job_whose_outputs_are_lost_runs_again_with_those_that_need_it(logs):
    jobs = job("a") + job("b", "needs: a") + job("c")
    first = await attempt(logs, jobs, c="failure")
    logs.delete("run")
    assert sorted((await attempt(logs, jobs, first)).began) == ["a", "b", "c"]


async def test_a_job_that_was_skipped_by_its_condition_makes_nothing_run_again(logs):
    jobs = job("a", "if: false") + job("b", "needs: a", "if: always()") + job("c")
    first = await attempt(logs, jobs, c="failure")
    second = await attempt(logs, jobs, first)
    assert second.began == ["c"]
    assert second.shown() == {"a": "skipped", "b": "success", "c": "success"}


async def test_what_stays_is_shown_as_it_was_and_keeps_its_log(logs):
    log = logs.open("run", 1, "a")
    log.write(["hello"], "2")
    log.close()
    logs.add_summary("run", 1, "a", "# well\n")
    first = await attempt(logs, job("a") + job("b"), b="failure")
    first.progress.jobs["a"].started_at = "2026-01-15T11:00:00Z"
    first.progress.jobs["a"].steps = {2: {"number": 2, "name": "say", "conclusion": "success"}}
    second = await attempt(logs, job("a") + job("b"), first)
    shown = second.progress.jobs["a"]
    assert (shown.started_at, shown.steps[2]["name"]) == ("2026-01-15T11:00:00Z", "say")
    assert logs.jobs("run", 2)[0] == "a"
    assert logs.lines("run", 2, "a")[0].endswith(" hello")
    assert [part.step for part in logs.parts("run", 2, "a")] == [2]
    assert logs.summary("run", 2, "a") == "# well\n"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_exactly_what_did_not_succeed_runs_again(tmp_path_factory, data):
    names = ["a", "b", "c", "d", "e"]
    needs = {name: data.draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else []
             for at, name in enumerate(names)}  # fmt: skip
    jobs = "".join(job(name, *([f"needs: [{', '.join(needs[name])}]"] if needs[name] else [])) for name in names)
    failing = dict.fromkeys(data.draw(st.lists(st.sampled_from(names), unique=True)), "failure")
    logs = RunLogs(tmp_path_factory.mktemp("logs"), ManualClock())

    async def both():
        first = await attempt(logs, jobs, **failing)
        return first.shown(), await attempt(logs, jobs, first)

    before, second = asyncio.run(both())
    assert sorted(second.began) == [name for name in names if before[name] != "success"]
    assert set(second.shown().values()) == {"success"}
