"""What a folder or a server may make a command print on a terminal."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tidegate.base.errors import InvalidInput
from tidegate.cli.output import as_shown, print_error
from tidegate.cli.update import command

ASKED = ["--set", "ns:web=web:2"]
TEXT = 'a: "web:1\x1b[31m" # {"$imagepolicy": "ns:web"}\nb: c # {"$imagepolicy": "ns:\\u001b[31m"}\n'


def test_names_and_values_are_printed_without_what_a_terminal_obeys(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9\x1b[2J.yaml").write_text(TEXT.replace("\x1b", "\\e"))
    done = CliRunner().invoke(command, ["--path", str(tmp_path), *ASKED], standalone_mode=False)
    assert done.exception is None
    assert "caf\ufffd\ufffd[2J.yaml:1: web:1\ufffd[31m -> web:2" in done.output
    assert "\x1b" not in done.output + done.stderr


def test_a_diff_is_whole_for_a_program_and_harmless_for_a_terminal() -> None:
    diff = b"-a: \x1b[31mx\xe9\r\n+\tb\n"
    assert as_shown(diff, terminal=False) == diff
    assert as_shown(diff, terminal=True) == "-a: \ufffd[31mx\ufffd\n+\tb\n".encode()


def test_an_error_is_printed_without_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(InvalidInput("no \x1b]0;title\x07\udcff", remedy="look"))
    assert capsys.readouterr().err == "Error: no \ufffd]0;title\ufffd\ufffd\nlook\n"
