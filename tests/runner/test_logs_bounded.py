import pytest

from tidegate.base.errors import NotFound
from tidegate.engine.manual_clock import ManualClock
from tidegate.runner.logs import SUMMARY_LIMIT, TAIL_LIMIT, RunLogs, file_name


@pytest.fixture
def logs(tmp_path):
    return RunLogs(tmp_path / "logs", ManualClock(), limit=1000)


def test_each_line_has_its_time(logs):
    log = logs.open("run", 1, "build")
    log.write(["one", "two"])
    log.close()
    assert logs.lines("run", 1, "build") == [
        "2026-01-15T12:00:00.0000000Z one",
        "2026-01-15T12:00:00.0000000Z two",
    ]


def test_past_the_limit_the_beginning_and_the_end_are_kept(logs):
    log = logs.open("run", 1, "build")
    count = 10_000
    log.write([f"line {number}" for number in range(count)])
    log.write(["the end"])
    log.close()
    lines = logs.lines("run", 1, "build")
    text = "\n".join(lines)
    assert "line 0" in text
    assert lines[-1].endswith("the end")
    assert "limited to 1000 bytes" in text
    assert "line 500\n" not in text
    assert logs.path("run", 1, "build").stat().st_size < 1000 + TAIL_LIMIT + 300


def test_the_lines_of_each_step_can_be_told_apart(logs):
    log = logs.open("run", 1, "test (3.11)")
    for step, words in (("1", ["ready"]), ("2", ["one", "two"]), ("3", ["three"]), ("2", ["four"])):
        log.write(words, step)
    log.close()
    data = logs.path("run", 1, "test (3.11)").read_bytes()
    parts = logs.parts("run", 1, "test (3.11)")
    told = [
        (part.step, [line.split()[1] for line in data[part.start : part.end].decode().splitlines()]) for part in parts
    ]
    assert told == [(1, ["ready"]), (2, ["one", "two"]), (3, ["three"]), (2, ["four"])]


def test_steps_can_be_told_apart_past_the_limit_too(logs):
    log = logs.open("run", 1, "build")
    for step in ("1", "2", "3"):
        log.write([f"line of {step}"] * 4000, step)
    log.write(["the end"], "4")
    log.close()
    data = logs.path("run", 1, "build").read_bytes()
    parts = logs.parts("run", 1, "build")
    assert b"".join(data[part.start : part.end] for part in parts) == data
    assert [part.step for part in parts] == [1, 3, 4]
    assert data[parts[-1].start :].endswith(b" the end\n")
    assert data[parts[-1].start :].count(b"\n") == 1


def test_a_log_that_is_written_anew_has_only_its_own_steps(logs):
    for step in ("7", "2"):
        log = logs.open("run", 1, "build")
        log.write(["a"], step)
        log.close()
    assert [part.step for part in logs.parts("run", 1, "build")] == [2]


def test_a_log_that_says_nothing_of_steps_is_the_first_ones(logs):
    path = logs.path("run", 1, "build")
    path.parent.mkdir(parents=True)
    path.write_text("a line\n")
    assert [(part.step, part.start, part.end) for part in logs.parts("run", 1, "build")] == [(1, 0, 7)]
    with pytest.raises(NotFound):
        logs.parts("run", 1, "other")


def test_attempts_and_jobs_come_in_their_order(logs):
    for attempt, job in ((1, "zeta"), (1, "alpha"), (2, "alpha"), (10, "alpha")):
        logs.open("run", attempt, job).close()
    assert logs.attempts("run") == [1, 2, 10]
    assert logs.jobs("run", 1) == ["zeta", "alpha"]
    assert logs.jobs("run", 3) == []


def test_a_jobs_name_cannot_lead_out_of_the_folder(logs, tmp_path):
    path = logs.path("../../etc", 1, "../../passwd")
    assert path.resolve().is_relative_to(tmp_path / "logs")
    assert file_name("test (3.11, ubuntu)") == "test_3.11_ubuntu"
    assert file_name("...") == "job"


def test_a_summary_is_bounded(logs):
    logs.add_summary("run", 1, "build", "# one\n")
    logs.add_summary("run", 1, "build", "x" * SUMMARY_LIMIT)
    logs.add_summary("run", 1, "build", "never")
    assert logs.summary("run", 1, "build").startswith("# one\nxxx")
    assert len(logs.summary("run", 1, "build")) == SUMMARY_LIMIT
    assert logs.summary("run", 1, "other") == ""


def test_logs_of_runs_that_are_gone_go(logs):
    for run in ("a", "b", "c"):
        logs.open(run, 1, "build").close()
    logs.keep_only({"b"})
    assert logs.runs() == ["b"]
    logs.delete("b")
    assert logs.runs() == []
    with pytest.raises(NotFound, match="no log of job 'build'"):
        logs.lines("b", 1, "build")


async def test_a_log_is_followed_from_its_beginning_to_its_end(logs):
    log = logs.open("run", 1, "build")

    async def growth():
        for word in ("one", "two"):
            log.write([word])
            log.flush()
            yield True

    data = b"".join([chunk async for chunk in logs.follow("run", 1, "build", wait=growth)])
    log.close()
    assert [line.split()[1] for line in data.decode().splitlines()] == ["one", "two"]


def test_names_of_any_length_have_a_log_each(logs):
    for job in ("x" * 5000, "x" * 5000 + "y"):
        logs.open("r" * 5000, 1, job).close()
    assert len(list(logs.path("r" * 5000, 1, "x").parent.glob("*.log"))) == 2
    assert logs.attempts("r" * 5000) == [1]
