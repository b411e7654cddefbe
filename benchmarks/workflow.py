"""The runner's numbers: how long a push waits for its first step, isolated, and how long the triggers of many workflows
take for a push of many files. Both by the wall clock and by CPU, since a machine is rarely ours alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.start import seconds
from tidegate.base.home import Home
from tidegate.git.repository import Repository
from tidegate.runner.linking import workflows_at
from tidegate.runner.pushes import RefChange, push_event
from tidegate.workflow.triggers import Event, matches

STEP_GOAL, STEP_OF_ACT = 0.15, 0.06
TRIGGERS_GOAL = 0.5
ROUNDS = 11
WORKFLOWS, FILES = 200, 10_000
PATIENCE = 60.0
STEPS = """\
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - run: echo "begun at $(date +%s.%N)"
"""
# Every fourth of each form: what repositories with many applications have.
FORMS = (
    "paths: ['apps/app-{n}/**', '!**/*.md', '.github/workflows/app-{n}.yaml']",
    "branches: [main, 'release/**']\n    paths: ['apps/app-{n}/src/**/*.py', 'libs/*/app-{n}/**', '**/Dockerfile']",
    "paths-ignore: ['docs/**', '**.md', 'apps/app-{n}/**', '!apps/app-{n}/keep', '*/*/config-?.yaml']",
    "branches: [main]\n    paths: ['**/app-{n}.txt', 'libs/**', '!libs/**', 'apps/app-{n}/+(a)b?[cd]/**']",
)
ENVIRONMENT = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_TERMINAL_PROMPT": "0",
}  # fmt: skip


def measure() -> Iterator[str]:
    """Both figures."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        yield from first_step(Path(name))
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        yield from triggers(Path(name))


def first_step(folder: Path) -> Iterator[str]:
    """From the moment at which a push has moved its branch to the first command of its first step."""
    clone = folder / "clone"
    write(clone, {".github/workflows/ci.yaml": STEPS})
    home = Home(folder / "home").make()
    with running(home) as (url, pid):
        home.write_git_credentials(url)
        git(clone, "config", "credential.helper", f"store --file={home.root}/git-credentials")
        waits, cpu = [], []
        for number in range(ROUNDS + 1):
            git(clone, "commit", "--quiet", "--allow-empty", "--message", f"Change {number}")
            before = cpu_of(pid)
            git(clone, "push", "--quiet", f"{url}/git/acme/shop.git", "main")
            begun = begun_at(home, number + 1)
            received = moved_at(home)
            if number:  # the first push makes the repository and loads what runs it
                waits.append(begun - received)
                cpu.append(cpu_of(pid) - before)
    shown = " ".join(f"{wait:.3f}" for wait in sorted(waits))
    yield (
        f"push received → first step   {median(waits):.3f} s  (the goal is {STEP_GOAL} s; "
        f"act, without isolation, takes {STEP_OF_ACT} s)"
    )
    yield f"  all of them: {shown}; a bare Python starts in {seconds([sys.executable, '-c', 'pass']):.3f} s meanwhile"
    yield f"  CPU of the server and its ended children, from the push to the end of its run: {median(cpu):.2f} s"


@contextmanager
def running(home: Home) -> Iterator[tuple[str, int]]:
    """A Tidegate of this home; where it answers, and its process."""
    command = [sys.executable, "-m", "tidegate", "up", "--home", str(home.root), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (home.root / "server.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield home.server().url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def begun_at(home: Home, count: int) -> float:
    """When the newest of `count` runs has begun its first step, by its own clock, in seconds since 1970."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        logs = [path.read_text("utf-8", "replace") for path in home.runs.rglob("*.log")]
        found = sorted(float(moment) for log in logs for moment in re.findall(r" begun at ([0-9.]+)\n", log))
        if len(found) == count:
            return found[-1]
        time.sleep(0.02)
    sys.exit("the run has not begun: is something else using this machine?")


def moved_at(home: Home) -> float:
    """When the hosted branch moved last."""
    return (home.root / "git/acme/shop.git/refs/heads/main").stat().st_mtime


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def triggers(folder: Path) -> Iterator[str]:
    """Which of the workflows a push starts: the decision alone, and with all that is read from Git for it."""
    clone = folder / "clone"
    flows = {f".github/workflows/app-{n}.yaml": flow(n) for n in range(WORKFLOWS)}
    write(clone, flows)
    git(clone, "commit", "--quiet", "--all", "--allow-empty", "--message", "Begin")
    old = git(clone, "rev-parse", "HEAD")
    write(clone, {path_of(number): str(number) for number in range(FILES)})
    git(clone, "commit", "--quiet", "--message", "Change everything")
    change = RefChange("refs/heads/main", old, git(clone, "rev-parse", "HEAD"))
    repository = Repository(clone / ".git")
    alone, whole = [], []
    started = 0
    for _ in range(ROUNDS):
        begun = clocks()
        workflows = [one for one in workflows_at(repository, change.new).values() if not isinstance(one, str)]
        event = asyncio.run(push_event(repository, change, name="acme/shop", known=None))
        decided = clocks()
        started = sum(matches(workflow, event).runs for workflow in workflows)
        ended = clocks()
        alone.append([b - a for a, b in zip(decided, ended, strict=True)])
        whole.append([b - a for a, b in zip(begun, ended, strict=True)])
        assert isinstance(event, Event)
        assert (len(workflows), len(event.changed or ())) == (WORKFLOWS, FILES)
    for what, taken in (("deciding alone", alone), ("with Git and reading the workflows", whole)):
        wall, cpu = (median(column) for column in zip(*taken, strict=True))
        yield (
            f"triggers of {WORKFLOWS} workflows for {FILES} files, {what}   {wall:.3f} s, {cpu:.3f} s of CPU  "
            f"({started} start; the goal is {TRIGGERS_GOAL} s)"
        )


def clocks() -> tuple[float, float]:
    """The wall clock, and the CPU of this process and of its ended children."""
    times = os.times()
    return time.perf_counter(), sum(times[:4])


def flow(number: int) -> str:
    """The text of a workflow."""
    push = FORMS[number % len(FORMS)].format(n=number)
    return f"on:\n  push:\n    {push}\njobs:\n  a:\n    runs-on: x\n    steps: [{{run: x}}]\n"


def path_of(number: int) -> str:
    """A changed file's path: most belong to applications, some to what they share."""
    if number % 10 == 0:
        return f"libs/lib-{number % 97}/app-{number % 300}/file-{number}.py"
    return f"apps/app-{number % 400}/src/module-{number % 7}/file-{number}.{'md' if number % 5 == 0 else 'py'}"


def write(clone: Path, files: dict[str, str]) -> None:
    """Write files and stage them; the repository is made where there is none."""
    clone.mkdir(exist_ok=True)
    if not (clone / ".git").exists():
        git(clone, "init", "--quiet", "--initial-branch=main")
    for path, text in files.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(text)
    git(clone, "add", "--all")


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
