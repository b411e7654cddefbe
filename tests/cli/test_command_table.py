"""The command line as a whole: help without imports, errors without tracebacks, exit codes."""

import importlib
import subprocess
import sys

import pytest

from tidegate.base.errors import CommandFailed, InvalidInput, Where
from tidegate.cli import main, output
from tidegate.cli.main import COMMANDS, TRY, run


def test_help_lists_every_command_without_importing_one():
    script = (
        "import sys; from tidegate.cli.main import run; run(['--help']);"
        "sys.exit(any(name.startswith('tidegate.') and name not in "
        "{'tidegate.cli', 'tidegate.cli.main', 'tidegate.cli.output', 'tidegate.base', 'tidegate.base.errors',"
        "'tidegate.base.frozen'} "
        "for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    for name, entry in COMMANDS.items():
        assert (f"  {name} " in done.stdout) is not entry.hidden


@pytest.mark.parametrize("entry", [*COMMANDS.values(), *TRY.values()])
def test_every_entry_has_a_line_of_help_and_a_module_that_is_there(entry):
    assert entry.help.endswith(".")
    if entry.target:
        assert importlib.util.find_spec(entry.target.partition(":")[0]) is not None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["nonsense"], 2),
        (["try", "nonsense"], 2),
        (["try", "duration", "--nonsense"], 2),
        (["try", "duration"], 2),
        (["try", "duration", "1h"], 0),
        (["try", "duration", "1x"], 1),
    ],
)
def test_exit_codes(arguments, code, capsys):
    assert run(arguments) == code
    capsys.readouterr()


def test_an_error_is_told_with_its_next_step(capsys):
    def work():
        raise InvalidInput("is wrong", where=Where("f.yaml", 3, 5, "spec.x"), remedy="write it better")

    assert output.guarded(work) == 1
    assert capsys.readouterr().err == "Error: f.yaml:3:5 (spec.x): is wrong\nwrite it better\n"


def test_every_error_of_a_task_group_is_told(capsys):
    def work():
        raise ExceptionGroup(
            "tasks", [InvalidInput("one"), ExceptionGroup("more", [CommandFailed("two", exit_code=1)])]
        )

    assert output.guarded(work) == 1
    assert capsys.readouterr().err == "Error: one\nError: two\n"


def test_a_fault_of_ours_inside_a_task_group_is_not_hidden():
    def work():
        raise ExceptionGroup("tasks", [InvalidInput("one"), KeyError("two")])

    with pytest.raises(ExceptionGroup):
        output.guarded(work)


def test_a_fault_of_ours_is_one_line_unless_debugging(capsys, monkeypatch):
    def fault():
        try:
            {}["x"]
        except KeyError as error:
            output.explain_fault(KeyError, error, error.__traceback__)

    fault()
    shown = capsys.readouterr().err
    assert "a fault of Tidegate's own: KeyError: 'x'" in shown
    assert "Traceback" not in shown
    monkeypatch.setenv(output.DEBUG, "1")
    fault()
    assert "Traceback" in capsys.readouterr().err


def test_interrupting_is_no_error(monkeypatch):
    monkeypatch.setattr(main, "_call", _interrupted)
    assert run([]) == 130


def _interrupted(_arguments):
    raise KeyboardInterrupt
