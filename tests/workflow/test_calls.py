"""Reusable workflows: what is called, with what, and what is wrong with it before anything runs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pytest

from tidegate.base.errors import NotFound
from tidegate.workflow.calls import Linked, NotLooked, link
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.permissions import allows, limited

FOLDER = ".github/workflows/"
STEPS = "runs-on: x, steps: [{run: x}]"
JOB = f"jobs: {{a: {{{STEPS}}}}}\n"

# "Example of `on.workflow_call.inputs`" and "secrets" in GitHub's workflow syntax, in one.
CALLED = f"""
on:
  workflow_call:
    inputs:
      username:
        description: 'A username passed from the caller workflow'
        default: 'john-doe'
        required: false
        type: string
      config-path: {{required: true, type: string}}
      dry: {{type: boolean}}
    secrets:
      access-token:
        description: 'A token passed from the caller workflow'
        required: true
      other: {{}}
{JOB}"""


def linked(caller: str, **files: str) -> tuple[Linked, str]:
    """A caller linked with files by their stems, and what is wrong, as people read it."""
    texts = {f"{FOLDER}{name}.yaml": text for name, text in files.items()}

    def read(path: str) -> Workflow | None:
        return parse_workflow(textwrap.dedent(texts[path]).encode(), path) if path in texts else None

    workflow = parse_workflow(textwrap.dedent(caller).encode(), f"{FOLDER}ci.yaml")
    found, problems = link(workflow, read)
    return found, "\n".join(problem.render() for problem in problems)


def calling(said: str = "", *, file: str = "called") -> str:
    return (
        f"on: push\njobs:\n  call:\n    uses: ./{FOLDER}{file}.yaml\n{textwrap.indent(textwrap.dedent(said), '    ')}"
    )


GIVEN = "with: {config-path: x}\nsecrets: inherit\n"


def test_what_jobs_call_is_found_by_its_path() -> None:
    found, wrong = linked(calling(GIVEN), called=CALLED)
    assert wrong == ""
    assert found.calls["call"].workflow.file == f"{FOLDER}called.yaml"
    assert [one.file for one in found.every()] == [f"{FOLDER}ci.yaml", f"{FOLDER}called.yaml"]


@pytest.mark.parametrize(
    ("said", "messages"),
    [
        ("secrets: inherit", ["needs the input 'config-path'"]),
        ("with: {config-path: x}", ["needs the secret 'access-token'", "write `secrets: inherit`"]),
        (
            "with: {config-path: x, usrname: y}\nsecrets: inherit",
            ["has no input 'usrname'", "did you mean 'username'?"],
        ),
        ("with: {config-path: x, dry: 'true'}\nsecrets: inherit", ["the input 'dry' of", "must be true or false"]),
        ("with: {config-path: x}\nsecrets: {access-token: a, acces: b}", ["has no secret 'acces'"]),
        (
            "secrets: {nope: b}",
            ["needs the input 'config-path'", "has no secret 'nope'", "needs the secret 'access-token'"],
        ),
    ],
)
def test_a_call_that_does_not_fit_is_a_problem_of_the_caller(said: str, messages: list[str]) -> None:
    """If a caller workflow passes an input that is not specified in the called workflow, this results in an error."""
    _, wrong = linked(calling(said), called=CALLED)
    for message in messages:
        assert message in wrong
    assert wrong.startswith(tuple(f"{FOLDER}ci.yaml:{place}:" for place in ("4:11", 5, 6)))


def test_values_that_are_only_known_later_are_not_judged_before() -> None:
    said = "with: {CONFIG-PATH: '${{ github.ref }}', dry: '${{ 1 == 1 }}', username: 3}\nsecrets: {ACCESS-TOKEN: x}\n"
    assert linked(calling(said), called=CALLED)[1] == ""


@pytest.mark.parametrize(
    ("caller", "files", "message"),
    [
        (calling(file="nope"), {}, f"there is no file {FOLDER}nope.yaml in this commit"),
        (calling(), {"called": f"on: push\n{JOB}"}, "it has no 'workflow_call' trigger"),
        ("on: push\njobs: {a: {uses: ./scripts/x.yaml}}", {}, "scripts/x.yaml is no workflow's path"),
        ("on: push\njobs: {a: {uses: ./.github/workflows/sub/x.yaml}}", {}, "sub/x.yaml is no workflow's path"),
        (calling(file="ci"), {}, f"in a circle: {FOLDER}ci.yaml → {FOLDER}ci.yaml"),
        (
            calling(file="b"),
            {"b": f"on: workflow_call\njobs: {{c: {{uses: ./{FOLDER}c.yaml}}}}",
             "c": f"on: workflow_call\njobs: {{b: {{uses: ./{FOLDER}b.yaml}}}}"},
            f"in a circle: {FOLDER}b.yaml → {FOLDER}c.yaml → {FOLDER}b.yaml",
        ),
        (calling(), {"called": "on: workflow_call\njobs: {a: {run-on: x}}"}, f"{FOLDER}called.yaml:2:"),
    ],
)  # fmt: skip
def test_what_can_not_be_called_is_named(caller: str, files: Mapping[str, str], message: str) -> None:
    assert message in linked(caller, **files)[1]


def chain(length: int) -> dict[str, str]:
    calls = {f"f{n}": f"on: workflow_call\njobs: {{n: {{uses: ./{FOLDER}f{n + 1}.yaml}}}}" for n in range(1, length)}
    return calls | {f"f{length}": f"on: workflow_call\n{JOB}"}


def test_ten_levels_can_be_connected_and_no_more() -> None:
    assert linked(calling(file="f1"), **chain(9))[1] == ""
    assert (
        "this is level 11 of workflows that call each other; 10 are the most"
        in linked(calling(file="f1"), **chain(10))[1]
    )


def test_fifty_different_workflows_can_be_called_and_no_more() -> None:
    def many(count: int) -> str:
        files = {f"f{n}": f"on: workflow_call\n{JOB}" for n in range(count)}
        jobs = "".join(f"  j{n}: {{uses: ./{FOLDER}f{n}.yaml}}\n" for n in range(count))
        return linked(f"on: push\njobs:\n{jobs}", **files)[1]

    assert many(50) == ""
    assert "calls 51 others; 50 are the most" in many(51)


def test_calls_that_multiply_end_early() -> None:
    jobs = "{" + ", ".join(f"j{n}: {{uses: ./{FOLDER}%s.yaml}}" for n in range(20)) + "}"
    files = {f"f{n}": f"on: workflow_call\njobs: {jobs % ((f'f{n + 1}',) * 20)}" for n in range(1, 8)}
    _, wrong = linked(calling(file="f1"), **files, f8=f"on: workflow_call\n{JOB}")
    assert wrong.count("more than 256 times") == 1


@pytest.mark.parametrize(
    ("caller", "called", "message"),
    [
        ("", "permissions: {contents: read}", ""),
        ("permissions: {packages: read}", "permissions: {packages: write}", "'packages: write' is more than"),
        ("permissions: {packages: write}", "permissions: {packages: write}", ""),
        ("permissions: write-all", "permissions: {packages: write}", ""),
        ("permissions: read-all", "permissions: write-all", "'write-all' is more"),
        ("permissions: {}", "permissions: {contents: read}", "which is 'none'"),
    ],
)  # fmt: skip
def test_permissions_can_only_be_downgraded(caller: str, called: str, message: str) -> None:
    """If workflow A has `package: read` token permission, then B and C cannot have `package: write` permission."""
    _, wrong = linked(calling(caller), called=f"on: workflow_call\n{called}\n{JOB}")
    assert (message in wrong) if message else wrong == ""
    _, wrong = linked(
        calling(caller, file="b"),
        b=f"on: workflow_call\njobs: {{c: {{uses: ./{FOLDER}called.yaml}}}}",
        called=f"on: workflow_call\njobs: {{a: {{{called + ',' if called else ''} {STEPS}}}}}",
    )
    assert (message in wrong) if message else wrong == ""


def test_the_lower_level_of_each_scope_counts() -> None:
    assert limited({"*": "write", "packages": "read"}, {"contents": "read"}) == {
        "*": "none", "packages": "none", "contents": "read",
    }  # fmt: skip
    assert limited({"contents": "write"}, {"*": "read"}) == {"contents": "read", "*": "none"}
    assert limited({"contents": "read", "packages": "write"}, {"packages": "read"}) == {"packages": "read"}
    assert not allows(limited({"*": "write", "packages": "read"}, {"contents": "read"}), "issues", "read")


OTHERS = {
    f"acme/flows/{FOLDER}a.yaml@v1": f"on: workflow_call\njobs: {{b: {{uses: ./{FOLDER}b.yaml}}}}",
    f"acme/flows/{FOLDER}b.yaml@v1": f"on: workflow_call\n{JOB}",
    f"acme/flows/{FOLDER}round.yaml@v1": f"on: workflow_call\njobs: {{a: {{uses: ./{FOLDER}round.yaml}}}}",
    f"far/flows/{FOLDER}a.yaml@v1": CALLED,
}


def linked_elsewhere(jobs: str) -> tuple[Linked, list[str]]:
    def read(name: str) -> Workflow | None:
        if name.startswith("unseen/"):
            raise NotLooked("not looked at")
        if name.startswith("gone/"):
            raise NotFound("it has no such repository", remedy="look at the URL")
        return parse_workflow(OTHERS[name].encode(), name) if name in OTHERS else None

    workflow = parse_workflow(f"on: push\njobs: {{{jobs}}}".encode(), f"{FOLDER}ci.yaml")
    found, problems = link(workflow, read, "Acme/shop")
    return found, [problem.message for problem in problems]


def test_a_workflow_of_another_repository_calls_those_beside_it() -> None:
    found, wrong = linked_elsewhere(f"a: {{uses: acme/flows/{FOLDER}a.yaml@v1, secrets: inherit}}")
    assert wrong == []
    assert [one.file for one in found.every()][1:] == list(OTHERS)[:2]


def test_what_is_wrong_with_calls_of_other_repositories_is_told() -> None:
    uses = {
        "round": f"acme/flows/{FOLDER}round.yaml@v1",
        "missing": f"acme/flows/{FOLDER}missing.yaml@v1",
        "gone": f"gone/flows/{FOLDER}a.yaml@v1",
        "unseen": f"unseen/flows/{FOLDER}a.yaml@v1",
        "folder": "acme/flows/a.yaml@v1",
    }
    jobs = [f"{name}: {{uses: {one}}}" for name, one in uses.items()]
    given = "with: {config-path: x}, secrets: inherit"
    jobs.append(f"far: {{uses: far/flows/{FOLDER}a.yaml@v1, {given}}}")
    _, wrong = linked_elsewhere(", ".join(jobs))
    round_ = uses["round"]
    assert sorted(wrong) == sorted(
        [
            f"workflows call each other in a circle: {round_} → {round_}",
            f"there is no file {uses['missing']} in that commit",
            f"{uses['gone']} can't be called: it has no such repository",
            "a.yaml is no workflow's path",
            f"far/flows/{FOLDER}a.yaml@v1 is another owner's, and inherits no secrets",
        ]
    )


def test_another_owners_workflow_gets_secrets_by_name() -> None:
    passed = "with: {config-path: x}, secrets: {access-token: x}"
    _, wrong = linked_elsewhere(f"far: {{uses: far/flows/{FOLDER}a.yaml@v1, {passed}}}")
    assert wrong == []
