"""Caches across real runs: when they are kept, who finds them, and what can't be reached through them."""

import io
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RunnerHome, git, workflow

from tidegate.runner.caches import Wanted

pytestmark = pytest.mark.integration


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=1)
    return home


async def run(home, steps, *refs, count=1, **parts):
    """Push one more commit, and wait for its run."""
    home.commit(workflow(steps, **parts) | {"count": str(count)})
    return await pushed(home, *refs, count=count)


async def pushed(home, *refs, count=1):
    async with home.running():
        home.push(*refs)
        runs = await home.finished(count, 60)
    return max(runs, key=lambda one: one["spec"]["runNumber"])


CACHED = """
- id: cache
  uses: actions/cache@v4
  with:
    key: deps-${{ hashFiles('lock') || 'none' }}
    restore-keys: deps-
    path: |
      node_modules
      ~/.cache/tool
      !~/.cache/tool/skip
- run: |
    echo "hit <${{ steps.cache.outputs.cache-hit }}>"
    if test -d node_modules; then
      stat -c '%a %Y %n' node_modules/bin/run; readlink node_modules/link
      cat ~/.cache/tool/data; ls node_modules/closed
    else
      mkdir -p node_modules/bin node_modules/closed ~/.cache/tool; echo x > node_modules/bin/run
      chmod 755 node_modules/bin/run; touch -d @1000000000 node_modules/bin/run; ln -s bin/run node_modules/link
      ln node_modules/bin/run node_modules/again; mkfifo node_modules/pipe
      echo y > ~/.cache/tool/data; echo z > node_modules/closed/z; chmod 555 node_modules/closed
    fi
"""


async def test_a_later_run_finds_what_a_run_that_succeeded_has_kept(home):
    first = await run(home, CACHED)
    log = home.log(first)
    assert first["status"]["conclusion"] == "success", log
    assert "hit <>" in log
    assert "Cache not found for input keys: deps-none, deps-" in log
    assert "Cache saved with key: deps-none" in log
    steps = first["status"]["jobs"][0]["steps"]
    assert [step["name"] for step in steps] == [
        "Set up job", "Run actions/cache@v4", 'Run echo "hit <>"', "Post Run actions/cache@v4", "Complete job",
    ]  # fmt: skip
    assert [step["number"] for step in steps] == [1, 2, 3, 4, 5]

    second = await run(home, CACHED, count=2)
    log = home.log(second)
    assert second["status"]["conclusion"] == "success", log
    assert "hit <true>\n755 1000000000 node_modules/bin/run\nbin/run\ny\nz\n" in log
    assert "Cache hit occurred on the primary key deps-none, not saving cache." in log

    third = await run(home, f"- run: echo 1 > lock\n{CACHED.strip()}", count=3)
    log = home.log(third)
    assert "hit <false>\n755" in log, "found by the beginning of its key"
    assert "Cache saved with key: deps-" in log


async def test_a_job_that_fails_keeps_nothing_unless_it_says_so(home):
    steps = """
- uses: actions/cache@v4
  with: {key: whole, path: a}
- id: look
  uses: actions/cache/restore@v4
  with: {key: part, path: a}
- run: |
    echo "<${{ steps.look.outputs.cache-hit }}> ${{ steps.look.outputs.cache-primary-key }}"
    echo 1 > a; exit 1
- if: always()
  uses: actions/cache/save@v4
  with: {key: part, path: a}
"""
    failed = await run(home, steps)
    log = home.log(failed)
    assert "<> part" in log
    assert "Cache saved with key: part" in log
    conclusions = {step["name"]: step["conclusion"] for step in failed["status"]["jobs"][0]["steps"]}
    assert conclusions["Post Run actions/cache@v4"] == "skipped"
    steps = """
- id: look
  uses: actions/cache/restore@v4
  with: {key: part, path: a, lookup-only: true}
- run: |
    echo "${{ steps.look.outputs.cache-hit }} ${{ steps.look.outputs.cache-matched-key }}"; test ! -e a
- uses: actions/cache/save@v4
  with: {key: part, path: lock*}
- uses: actions/cache/restore@v4
  with: {key: whole, path: a, fail-on-cache-miss: true}
"""
    second = await run(home, steps, count=2)
    log = home.log(second)
    assert "\ntrue part\n" in log
    assert "##[warning]Failed to save: nothing of what `path` names is there" in log
    assert "no cache was found for the key 'whole', and fail-on-cache-miss is set" in log
    assert second["status"]["conclusion"] == "failure"


SHORT = """
- id: cache
  uses: actions/cache@v4
  with: {key: "k-${{ github.ref_name }}-${{ github.event_name }}", restore-keys: k-, path: a}
- run: test -e a && echo "found $(cat a)"; echo "${{ github.event_name }} ${{ github.head_ref }}" > a
"""


async def test_a_branch_finds_its_own_and_the_default_branchs_and_gives_none_to_others(home):
    await run(home, SHORT)
    git(home.folder, "checkout", "--quiet", "-b", "topic")
    second = await run(home, SHORT, "HEAD:refs/heads/topic", count=2)
    assert "found push" in home.log(second)
    git(home.folder, "checkout", "--quiet", "-b", "other", "main")
    third = await run(home, SHORT, "HEAD:refs/heads/other", count=3)
    assert "Cache found with key: k-main-push" in home.log(third), "not that of topic, though it is newer"


async def test_what_a_pull_request_keeps_is_found_by_it_alone(home):
    head = "on: [push, pull_request]"
    await run(home, SHORT, head=head)
    git(home.folder, "checkout", "--quiet", "-b", "topic")
    home.commit({"a-file": "1"})
    await pushed(home, "HEAD:refs/heads/topic", count=2)
    git(home.folder, "checkout", "--quiet", "-b", "other")
    home.commit({"a-file": "2"})
    await pushed(home, "HEAD:refs/heads/other", count=3)

    async def requested(branch, count):
        from runner_home import RUNNER

        from tidegate.runner.requested import requested_run

        runner = await home.store.get(RUNNER)
        wish = requested_run(runner, "ci.yaml", event="pull_request", ref=branch, base="main")
        wish["metadata"]["name"] = f"wish-{count}"
        async with home.running():
            await home.store.create(wish, manager="test")
            runs = await home.finished(count, 60)
        return next(one for one in runs if one["metadata"]["name"] == f"wish-{count}")

    first = await requested("topic", 4)
    assert "Cache found with key: k-main-push" in home.log(first), "that of its base; its own branch's is not found"
    again = await requested("topic", 5)
    assert "found pull_request topic" in home.log(again)
    other = await requested("other", 6)
    assert "Cache found with key: k-main-push" in home.log(other), "another request's is not found"
    last = await run(home, SHORT, "HEAD:refs/heads/new", head=head, count=7)
    assert "Cache found with key: k-main-push" in home.log(last)


def hostile(*entries):
    """A cache's archive with members that a job should never have made: (name, type, content or target)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
            else:
                entry.linkname = text
                archive.addfile(entry)
    return data.getvalue()


REG, SYM, LINK, DEVICE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([("0/../../../escaped", REG, "x")], "leads out of the folder"),
        ([("/tmp/escaped", REG, "x")], "is no name of a cache"),
        ([("7/escaped", REG, "x")], "is no name of a cache"),
        ([("0/../b/escaped", REG, "x")], "leads out of the folder"),
        ([("0/hard", LINK, "/etc/passwd")], "is neither a file, a folder nor a link"),
        ([("0/device", DEVICE, "")], "is neither a file, a folder nor a link"),
        ([("0/tmp", SYM, "/tmp"), ("0/tmp/escaped", REG, "x")], ""),
    ],
)
async def test_an_archive_of_a_hostile_job_leads_nowhere(home, entries, why):
    """A job can have any bytes kept as a cache: whoever restores them is not led out of what it has named."""
    data = hostile(*entries)
    whole = home.caches.save

    def swapped(*arguments):
        path = home.root / "evil"
        path.write_bytes(data)
        with path.open("rb") as file:
            return whole(*arguments[:-1], file)

    home.caches.save = swapped
    steps = """
- uses: actions/cache/restore@v4
  with: {key: k, path: a}
- run: |
    find ~ /tmp -name escaped -not -path '*/work/shop/shop/a/*'
    echo looked; mkdir -p a; echo 1 > a/file
- uses: actions/cache/save@v4
  with: {key: k, path: a}
"""
    first = await run(home, steps)
    assert "Cache saved with key: k" in home.log(first)
    second = await run(home, steps, count=2)
    log = home.log(second)
    assert "escaped\nlooked" not in log.replace("\r", "")
    assert second["status"]["conclusion"] == "success"
    if why:
        assert "##[warning]Failed to restore: " in log
        assert why in log


async def test_a_restored_link_is_not_written_through(home):
    """A link that lies where a cache goes, or on the way there, is no way out of it."""
    steps = """
- run: rm -rf a; %s
- uses: actions/cache@v4
  with: {key: k, path: a}
- run: ls -A /tmp/far || true; mkdir -p a/sub; echo 1 > a/sub/file
"""
    await run(home, steps % "true")
    second = await run(home, steps % "mkdir -p /tmp/far a; ln -s /tmp/far a/sub", count=2)
    log = home.log(second)
    assert "leads out of" in log
    assert "\nfile\n" not in log


async def test_a_cache_of_other_paths_is_another(home):
    steps = "- uses: actions/cache@v4\n  with: {key: k, path: %s}\n- run: mkdir -p a b\n"
    await run(home, steps % "a")
    second = await run(home, steps % "b", count=2)
    assert "Cache saved with key: k" in home.log(second)
    found = home.caches.find(Wanted("acme/shop", ["refs/heads/main"], ["k"], "another"))
    assert found is None


async def test_without_room_a_job_goes_on_and_says_why(home):
    home.caches._shelf._budget = 10
    kept = await run(home, "- uses: actions/cache@v4\n  with: {key: k, path: a}\n- run: echo 1 > a")
    assert kept["status"]["conclusion"] == "success"
    assert "##[warning]Failed to save: " in home.log(kept)
    assert "are too many: 0 of 10 are taken" in home.log(kept)
