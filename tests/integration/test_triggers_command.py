"""`tidegate triggers` in real checkouts: what was pushed, what is new, and what is wrong there."""

import json
import shutil
import subprocess

import pytest

from tidegate.cli.main import run

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
WORKFLOW = """\
name: build
on:
  push:
    branches: [main]
    paths: ['src/**']
jobs:
  build:
    runs-on: ubuntu-latest
    steps: [{run: make}]
"""


class Checkout:
    """A checkout with a remote."""

    def __init__(self, folder):
        self.folder = folder / "work"
        self.folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("init", "--quiet", "--bare", str(folder / "remote.git"))
        self.git("remote", "add", "origin", str(folder / "remote.git"))

    def git(self, *arguments):
        settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *settings, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, path, text, message="a change"):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")


@pytest.fixture
def checkout(tmp_path):
    made = Checkout(tmp_path)
    made.commit(".github/workflows/build.yaml", WORKFLOW)
    made.commit("src/main.py", "1")
    made.git("push", "--quiet", "--set-upstream", "origin", "main")
    return made


def asked(capsys, folder, *options):
    code = run(["triggers", str(folder), "--format", "json", *options])
    answer = capsys.readouterr()
    return code, json.loads(answer.out), answer.err


def test_what_the_upstream_has_not_is_what_is_pushed(checkout, capsys):
    checkout.commit("README.md", "1")
    code, (answer,), _ = asked(capsys, checkout.folder)
    assert (code, answer["runs"], answer["line"]) == (0, False, 5)
    checkout.commit("src/main.py", "2")
    _, (answer,), _ = asked(capsys, checkout.folder / "src")
    assert (answer["runs"], answer["pattern"]) == (True, "src/**")


def test_since_a_revision_and_another_branch(checkout, capsys):
    assert asked(capsys, checkout.folder, "--since", "HEAD~1")[1][0]["runs"] is True
    assert asked(capsys, checkout.folder, "--since", "HEAD")[1][0]["reason"] == "no file changed"
    _, (answer,), _ = asked(capsys, checkout.folder, "--since", "HEAD~1", "--ref", "dev")
    assert (answer["runs"], answer["line"]) == (False, 4)


def test_a_new_branch_counts_from_where_it_left_the_default_one(checkout, capsys):
    checkout.git("remote", "set-head", "origin", "main")
    checkout.git("checkout", "--quiet", "-b", "main-2")
    checkout.commit("README.md", "1")
    workflow = WORKFLOW.replace("[main]", "['main*']")
    checkout.commit(".github/workflows/build.yaml", workflow)
    assert asked(capsys, checkout.folder)[1][0]["runs"] is False
    checkout.commit("src/main.py", "2")
    assert asked(capsys, checkout.folder)[1][0]["runs"] is True


def test_a_skip_word_counts(checkout, capsys):
    checkout.commit("src/main.py", "2", message="[skip ci] a change")
    assert asked(capsys, checkout.folder)[1][0]["reason"] == "the commit message says [skip ci]"


def test_the_table_names_the_line(checkout, capsys):
    checkout.commit("src/main.py", "2")
    assert run(["triggers", str(checkout.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a push of refs/heads/main (")
    assert lines[0].endswith(" with 1 changed file")
    assert lines[2].split()[:2] == [".github/workflows/build.yaml", "yes"]
    assert lines[2].endswith("src/main.py matches src/** (.github/workflows/build.yaml:5)")


def test_a_workflow_that_can_not_be_read_is_named_and_the_others_are_answered(checkout, capsys):
    checkout.commit(".github/workflows/bad.yaml", "on: pushed\njobs: {}\n")
    code, answers, error = asked(capsys, checkout.folder)
    assert (code, [one["workflow"] for one in answers]) == (1, [".github/workflows/build.yaml"])
    assert ".github/workflows/bad.yaml:1" in error


def test_what_would_keep_a_workflow_that_starts_from_running_is_shown_at_its_line(checkout, capsys):
    steps = "jobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: ./act\n      - uses: acme/other@v1\n"
    checkout.commit("act/action.yml", "runs: {using: node12, main: x}")
    checkout.commit(".github/workflows/build.yaml", f"on: push\n{steps}")
    checkout.commit(".github/workflows/other.yaml", f"on: release\n{steps}")
    code, answers, error = asked(capsys, checkout.folder)
    assert (code, [one["runs"] for one in answers]) == (1, [True, False])
    assert "act/action.yml:1:15: 'node12' is not known here" in error
    assert "other.yaml" not in error


def test_what_is_of_another_repository_is_named_and_not_asked_for(checkout, capsys):
    steps = "jobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: acme/other@v1\n"
    call = "  b: {uses: acme/x/.github/workflows/y.yml@v1}\n"
    checkout.commit(".github/workflows/build.yaml", f"on: push\n{steps}{call}")
    code, _, error = asked(capsys, checkout.folder)
    assert code == 0
    named = "is of another repository, and was not asked for"
    assert f"Warning: .github/workflows/build.yaml:6:15: acme/other@v1 {named}" in error
    assert f"Warning: .github/workflows/build.yaml:7:13: acme/x/.github/workflows/y.yml@v1 {named}" in error
    assert "is looked at when a run is planned" in error


def test_what_will_surprise_is_told_and_is_no_error(checkout, capsys):
    text = 'on: [push, release]\njobs: {a: {runs-on: x, steps: [{run: x, if: "${{ false }} && true"}]}}\n'
    checkout.commit(".github/workflows/build.yaml", text)
    code, _, error = asked(capsys, checkout.folder)
    assert code == 0
    assert "Warning: .github/workflows/build.yaml:1:12: the event 'release' never happens here" in error
    assert "a condition with text outside ${{ }} always holds" in error


@pytest.mark.parametrize("options", [["--since", "nothing"], ["--since", "--all"], ["--ref", "a b"], ["--ref", "a..b"]])
def test_wrong_names_are_refused(checkout, capsys, options):
    assert run(["triggers", str(checkout.folder), *options]) == 1
    assert options[1] in capsys.readouterr().err


def test_outside_of_a_repository(tmp_path, capsys):
    assert run(["triggers", str(tmp_path)]) == 1
    assert "is in no Git repository" in capsys.readouterr().err


def test_a_detached_head_asks_for_the_branch(checkout, capsys):
    checkout.git("checkout", "--quiet", "--detach")
    assert run(["triggers", str(checkout.folder)]) == 1
    assert "--ref main" in capsys.readouterr().err
