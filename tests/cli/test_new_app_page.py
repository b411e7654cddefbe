"""docs/new-app.md is true: its commands say what it shows."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/new-app.md"


def test_the_commands_of_the_page_say_what_it_shows(tmp_path):
    program = tmp_path / "bin/tidegate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tidegate "$@"\n')
    program.chmod(0o755)
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    steps = [step for block in blocks for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]
    assert len(steps) == 4
    for command, shown in steps:
        argv = ["sh", "-c", f"PATH={program.parent}:$PATH; {command}"]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        parts = [re.escape(part) for part in shown.split("…\n")]
        assert re.fullmatch(".*".join(parts), done.stdout + done.stderr, re.DOTALL), (command, done.stdout, done.stderr)
