"""Artifacts between the jobs of real runs: what is kept, what is found, and what can't be reached through them."""

import asyncio
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RunnerHome

from tidegate.kinds.objects import key_of

pytestmark = pytest.mark.integration
CI = ".github/workflows/ci.yaml"


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up(maxJobs=1)
    return home


def jobs(**steps):
    """A workflow of jobs that run one after another."""
    text, before = "on: push\njobs:\n", ""
    for name, body in steps.items():
        needs = f"    needs: {before}\n" if before else ""
        indented = "".join(f"      {line}\n" for line in body.strip("\n").splitlines())
        text += f"  {name}:\n    runs-on: x\n{needs}    steps:\n{indented}"
        before = name
    return {CI: text}


async def finish(home, timeout=60, **steps):
    home.commit(jobs(**steps))
    async with home.running():
        home.push()
        return (await home.finished(1, timeout))[-1]


def archive(home, run, name):
    """The files of an artifact, by name."""
    (found,) = [one for one in home.artifacts.of_run(run["metadata"]["name"]) if one.name == name]
    path = home.root / f"{name}.zip"
    home.artifacts.copy_out(found, path)
    with zipfile.ZipFile(path) as read:
        return {entry: read.read(entry).decode() for entry in read.namelist()}


async def test_a_job_gets_what_another_has_kept(home):
    run = await finish(
        home,
        first="""
- run: |
    mkdir -p dist/sub dist/.hidden; echo one > dist/one; echo two > dist/sub/two; echo h > dist/.hidden/file
    chmod 700 dist/one; ln -s one dist/link; ln -s nowhere dist/broken; echo > dist/three.map
- id: up
  uses: actions/upload-artifact@v4
  with:
    name: built
    path: |
      dist/
      !dist/**/*.map
    retention-days: 3
- run: echo "got ${{ steps.up.outputs.artifact-id }} ${{ steps.up.outputs.artifact-url }}"
- uses: actions/upload-artifact@v4
  with: {name: single, path: dist/sub/two, compression-level: 0}
- uses: actions/upload-artifact@v4
  with: {name: built-all, path: "dist/*\\ndist/.hidden", include-hidden-files: true}
""",
        second="""
- id: down
  uses: actions/download-artifact@v4
  with: {name: built, path: here}
- run: cd here; find . -type f | sort; cat one sub/two link; echo "at ${{ steps.down.outputs.download-path }}"
- uses: actions/download-artifact@v4
  with: {path: every}
- run: cd every; find . -type f | sort
- uses: actions/download-artifact@v4
  with: {pattern: "s*", path: ~/merged, merge-multiple: true}
- run: ls ~/merged
""",
    )
    assert run["status"]["conclusion"] == "success", home.log(run, "first") + home.log(run, "second")
    log = home.log(run, "second")
    assert "./link\n./one\n./sub/two\none\ntwo\none\nat /home/runner/work/shop/shop/here\n" in log
    assert "./built-all/.hidden/file" in log
    assert "./single/two" in log
    assert log.splitlines()[-2] == "two" or "\ntwo\n" in log
    assert archive(home, run, "built") == {"link": "one\n", "one": "one\n", "sub/two": "two\n"}
    (built,) = [one for one in home.artifacts.of_run(run["metadata"]["name"]) if one.name == "built"]
    assert f"got {built.id} https://github.com/acme/shop/actions/runs/{built.run_id}/artifacts/{built.id}" in home.log(
        run, "first"
    )
    assert round(built.expires - built.created) == 3 * 86400


async def test_nothing_found_warns_fails_or_is_silent_as_asked(home):
    run = await finish(
        home,
        first="""
- uses: actions/upload-artifact@v4
  with: {path: nothing}
- uses: actions/upload-artifact@v4
  with: {path: nothing, if-no-files-found: ignore}
- name: strict
  uses: actions/upload-artifact@v4
  with: {path: nothing, if-no-files-found: error}
""",
    )
    log = home.log(run, "first")
    assert run["status"]["conclusion"] == "failure"
    said = "No files were found with the provided path: nothing. No artifact is uploaded."
    warned, silent, failed = (line for line in log.splitlines() if said in line)
    assert (warned, silent) == (f"##[warning]{said}", said)
    assert failed.startswith("##[error].github/workflows/ci.yaml:11:15")


async def test_a_name_is_taken_until_it_is_to_be_overwritten(home):
    run = await finish(
        home,
        first="""
- run: echo 1 > a
- uses: actions/upload-artifact@v4
  with: {name: x, path: a}
- run: echo 2 > a
- id: again
  continue-on-error: true
  uses: actions/upload-artifact@v4
  with: {name: x, path: a}
- run: echo 3 > a; echo "outcome ${{ steps.again.outcome }}"
- uses: actions/upload-artifact@v4
  with: {name: x, path: a, overwrite: true}
- uses: actions/upload-artifact@v4
  with: {name: a/b, path: a}
""",
    )
    log = home.log(run, "first")
    assert "outcome failure" in log
    assert "this run has an artifact 'x' already" in log
    assert "an artifact can't be named 'a/b': it has the character '/'" in log
    assert archive(home, run, "x") == {"a": "3\n"}
    assert len(list((home.root / "home/runs/artifacts").rglob("*.data"))) == 1


async def test_what_is_not_there_is_named_with_what_is(home):
    run = await finish(
        home,
        first="""
- run: echo 1 > a
- uses: actions/upload-artifact@v4
  with: {name: x, path: a}
- uses: actions/download-artifact@v4
  with: {name: y}
""",
    )
    assert "there is no artifact 'y'" in home.log(run, "first")
    assert "artifacts there: x" in home.log(run, "first")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped"])
async def test_an_archive_of_a_hostile_job_leads_nowhere(home, name):
    """The store takes bytes, so a job can put any archive there: whoever unpacks it is not led out of the folder."""
    evil = home.root / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr(name, "pwned")
    upload = "- run: echo 1 > a\n- uses: actions/upload-artifact@v4\n  with: {name: evil, path: a}\n"
    home.commit(
        jobs(
            first=upload,
            second="- uses: actions/download-artifact@v4\n  with: {name: evil, path: in/side}\n"
            "- if: always()\n  run: find ~ /tmp -name escaped; echo looked",
        )
    )
    whole = home.artifacts.add

    def swapped(upload, source):
        with evil.open("rb") as other:
            return whole(upload, other)

    home.artifacts.add = swapped
    async with home.running():
        home.push()
        (run,) = await home.finished(1, 60)
    log = home.log(run, "second")
    assert run["status"]["conclusion"] == "failure"
    assert "leads out of the folder" in log
    assert "escaped\nlooked" not in log


async def test_links_neither_take_nor_give_what_is_outside(home):
    (home.root / "home/token").write_text("the-homes-own-token")
    secret = home.root / "home/token"
    run = await finish(
        home,
        first=f"""
- run: mkdir d; ln -s {secret} d/token; ln -s {secret.parent} d/home; ln -s /etc/passwd d/users; ln -s . d/round
- uses: actions/upload-artifact@v4
  with: {{name: links, path: d}}
""",
        second="""
- run: mkdir -p out elsewhere; ln -s ../elsewhere out/users; ln -s /tmp/gone out/x
- uses: actions/download-artifact@v4
  with: {name: links, path: out}
- run: find elsewhere -type f; test ! -L out/users && echo replaced
- run: rm -rf in && mkdir far && ln -s far in
- uses: actions/download-artifact@v4
  with: {name: links, path: in}
- run: ls far
""",
    )
    assert run["status"]["conclusion"] == "success", home.log(run, "second")
    assert list(archive(home, run, "links")) == ["users"]
    assert "the-homes-own-token" not in home.log(run, "first") + home.log(run, "second")
    assert "\nreplaced" in home.log(run, "second")


async def test_the_path_of_a_planted_archive_is_not_followed(home):
    """A job owns the folder in which archives lie for a moment: a link there is no way to a file of this machine."""
    (home.root / "home/token").write_text("the-homes-own-token")
    run = await finish(
        home,
        first=f"""
- run: |
    echo 1 > a
    cat > /tmp/swap.sh <<'END'
    while :; do
      for f in "$RUNNER_TEMP"/artifact-*.zip; do test -f "$f" && ln -sf {home.root}/home/token "$f"; done
    done
    END
    setsid sh /tmp/swap.sh >/dev/null 2>&1 &
- continue-on-error: true
  uses: actions/upload-artifact@v4
  with: {{name: x, path: a}}
""",
    )
    for artifact in home.artifacts.of_run(run["metadata"]["name"]):
        path = home.root / "read"
        home.artifacts.copy_out(artifact, path)
        assert b"the-homes-own-token" not in path.read_bytes()


async def test_artifacts_go_with_their_run_and_a_later_attempt_finds_them(home):
    run = await finish(
        home,
        first="""
- run: echo ${{ github.run_attempt }} > a
- if: github.run_attempt == 1
  uses: actions/upload-artifact@v4
  with: {name: early, path: a}
- uses: actions/upload-artifact@v4
  with: {name: both, path: a}
- if: github.run_attempt == 2
  uses: actions/download-artifact@v4
  with: {path: all}
- if: github.run_attempt == 2
  run: cat all/early/a all/both/a
""",
    )
    assert run["status"]["conclusion"] == "success", home.log(run, "first")
    async with home.running():
        await home.store.patch(
            key_of(run), {"metadata": {"annotations": {"tidegate.dev/rerun": "again"}}}, manager="test"
        )
        (run,) = await home.until(lambda runs: runs[0]["status"].get("attempt") == 2
                                  and runs[0]["status"]["status"] == "completed", 60)  # fmt: skip
        assert run["status"]["conclusion"] == "success", home.log(run, "first")
        assert "\n1\n2\n" in home.log(run, "first")
        await home.store.delete(key_of(run))
        home.commit(jobs(first="- run: true"))
        home.push()
        async with asyncio.timeout(60):
            while list((home.root / "home/runs/artifacts").rglob("*.data")):  # noqa: ASYNC110 - the disk is looked at
                await asyncio.sleep(0.02)
