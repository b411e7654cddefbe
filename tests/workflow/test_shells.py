from __future__ import annotations

from collections.abc import Callable

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.workflow.model import Workflow
from tidegate.workflow.resolve import Scope
from tidegate.workflow.shells import shell_named, shell_of, working_directory_of

Read = Callable[[str], Workflow]


@pytest.mark.parametrize(
    ("name", "argv", "suffix"),
    [
        (None, ["bash", "-e", "/s"], ".sh"),
        ("bash", ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "/s"], ".sh"),
        ("sh", ["sh", "-e", "/s"], ".sh"),
        ("python", ["python", "/s"], ".py"),
        ("pwsh", ["pwsh", "-command", ". '/s'"], ".ps1"),
        ("perl -w {0}", ["perl", "-w", "/s"], ""),
        ("bash -c 'source {0}; x'", ["bash", "-c", "source /s; x"], ""),
    ],
)
def test_a_script_is_started_as_github_starts_it(name: str | None, argv: list[str], suffix: str) -> None:
    shell = shell_named(name)
    assert (shell.argv("/s"), shell.suffix) == (argv, suffix)


@pytest.mark.parametrize("name", ["fish", "cmd", "powershell", "{0}", "perl -w", "bash '{0}"])
def test_other_shells_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        shell_named(name)


def test_the_nearest_default_counts(read: Read) -> None:
    workflow = read("""\
        defaults: {run: {shell: sh, working-directory: w}}
        jobs:
          a:
            runs-on: x
            defaults: {run: {shell: '${{ matrix.shell }}'}}
            steps: [{run: x}, {run: x, shell: bash, working-directory: s}]
          b: {runs-on: x, steps: [{run: x}]}
        """)
    a, b = workflow.jobs["a"], workflow.jobs["b"]
    scope = Scope({"matrix": {"shell": "python"}})
    assert shell_of(a.steps[0], (a.defaults, workflow.defaults), scope).command == ("python", "{0}")
    assert shell_of(a.steps[1], (a.defaults, workflow.defaults), scope).command[0] == "bash"
    assert shell_of(b.steps[0], (b.defaults, workflow.defaults), scope).command == ("sh", "-e", "{0}")
    assert working_directory_of(a.steps[0], (a.defaults, workflow.defaults), scope) == "w"
    assert working_directory_of(a.steps[1], (a.defaults, workflow.defaults), scope) == "s"
