"""Automations of two Tidegates and a person push to one branch at the same moments: nothing is lost, nothing merged."""

import asyncio
import os
import random
import shutil
import subprocess
import sys

import pytest
from tests.integration.git_host import hosting
from tests.integration.test_update_together import World, path

from tidegate.engine.clock import SystemClock
from tidegate.engine.outcome import Ready

pytestmark = [
    pytest.mark.integration,
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not installed: apt-get install perl-base"),
]
ROUNDS = int(os.environ.get("TIDEGATE_RACE_ROUNDS", "8"))
"""`make test-crash` makes 200."""
START = int(os.environ.get("TIDEGATE_SEED", random.SystemRandom().randrange(2**32)))
TRIES = 60
PATIENCE = 120.0


class Person:
    """Somebody with a clone, who pulls and pushes again until it is through, as people do."""

    def __init__(self, host):
        self.host = host
        self.clone = host.folder / "person"
        host.git("clone", "--quiet", str(host.bare), str(self.clone), cwd=None)

    def push(self, number):
        git = self.host.git
        with (self.clone / "notes.txt").open("a") as notes:
            notes.write(f"{number}\n")
        git("add", "--all", cwd=self.clone)
        git("commit", "--quiet", "--message", f"Note {number}", cwd=self.clone)
        for tried in range(TRIES):
            git("pull", "--quiet", "--rebase", "origin", "main", cwd=self.clone)
            done = subprocess.run(
                ["git", "-C", str(self.clone), "push", "--quiet", "origin", "HEAD:main"],
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return tried
        raise AssertionError(f"note {number} was kept out {TRIES} times: {done.stderr}")


@pytest.fixture
async def worlds(tmp_path):
    """Two homes, each with its own objects and mirrors, of one repository."""
    with hosting(tmp_path) as host:
        made = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            made.append(World(host, tmp_path / name, SystemClock()))
        await made[0].make()
        await made[1].add_objects()
        yield made
        for world in made:
            world.store.close()


async def insistent(world, *names):
    """As the engine does it: again after an error. The outcomes, and how many errors there were."""
    failed = 0
    async with asyncio.timeout(PATIENCE):
        while True:
            outcomes = await world.update(*names)
            errors = [one for one in outcomes if not isinstance(one, Ready)]
            if not errors:
                return outcomes, failed
            failed += len(errors)
            await asyncio.sleep(random.uniform(0.05, 0.3))


async def retries(world):
    """How often a push lost against somebody else's, by the events."""
    events = (await world.store.list("", "Event")).items
    return sum(event.get("count", 1) for event in events if event["reason"] == "PushRetry")


async def test_nobody_loses_a_commit(worlds):
    one, two = worlds
    host, source = one.host, random.Random(START)
    person = Person(host)
    first = host.head()
    pushed, beaten, failed = [], 0, 0

    async def later(seconds, work):
        await asyncio.sleep(seconds)
        return await work

    for number in range(1, ROUNDS + 1):
        tag = f"1.1.{number}"
        await one.select(tag, "a", "b")
        await two.select(tag, "c")
        (mine, errors), (theirs, more), tried = await asyncio.gather(
            later(source.uniform(0, 0.05), insistent(one, "a", "b")),
            later(source.uniform(0, 0.05), insistent(two, "c")),
            later(source.uniform(0, 0.05), asyncio.to_thread(person.push, number)),
        )
        pushed += [outcome.status["lastPushCommit"] for outcome in (*mine, *theirs)]
        beaten, failed = beaten + tried, failed + errors + more
        assert one.tags()[:3] == [tag] * 3
    redone = [await retries(world) for world in worlds]
    beats = f"the person was beaten {beaten} times, the automations' pushes {redone}"
    sys.stdout.write(f"start value {START}: {ROUNDS} rounds; {beats}; {failed} reconciliations were made anew\n")

    log = host.git("log", "--reverse", "--format=%H %P|%an", f"{first}..main").splitlines()
    commits = [line.partition(" ")[0] for line in log]
    authors = [line.rpartition("|")[2] for line in log]
    assert len(set(pushed)) == len(pushed) == 3 * ROUNDS
    assert {commit for commit, author in zip(commits, authors, strict=True) if author != "Somebody"} == set(pushed)
    assert len(commits) == 4 * ROUNDS
    assert host.git("rev-list", "--merges", "main") == ""
    assert host.git("show", "main:notes.txt").splitlines() == [str(number) for number in range(1, ROUNDS + 1)]
    moves = [line.split(" ")[:2] for line in (host.bare / "logs/refs/heads/main").read_text().splitlines()]
    assert [old for old, _ in moves[1:]] == [new for _, new in moves[:-1]]
    for old, new in moves[1:]:
        host.git("merge-base", "--is-ancestor", old, new)
    for outcome, name in ((pushed[-3], "a"), (pushed[-2], "b"), (pushed[-1], "c")):
        assert host.git("diff", "--numstat", f"{outcome}^", outcome) == f"1\t1\t{path(name)}"
    host.git("fsck", "--full", "--strict", "--no-dangling")
