"""docs/update.md shows how a message's template is tried; what it says comes of it does."""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from tidegate.cli.try_message import command

PAGE = Path(__file__).parents[2] / "docs/update.md"


def test_the_example_prints_what_the_page_says():
    shown = re.search(
        r"tidegate try message (.*?) <<'END'\n(.*?)\nEND\n```\n\nprints `(.*?)`", PAGE.read_text(), re.DOTALL
    )
    arguments, given, printed = shown.groups()
    done = CliRunner().invoke(command, shlex.split(arguments), input=given)
    assert (done.exit_code, done.output) == (0, f"{printed}\n")
