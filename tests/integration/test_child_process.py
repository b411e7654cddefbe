"""Programs that `base.process` runs: they end with the process that started them, however that ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.base import process
from tidegate.base.errors import CommandFailed, MissingTool

PARENT = """
import asyncio
from tidegate.base import process
{without}
asyncio.run(process.run(["sh", "-c", "echo $$ > pid.new && mv pid.new pid && exec sleep 600"], timeout=600))
"""
WITHOUT = "process._setpriv = lambda: None"
PATIENCE = 30.0


@pytest.mark.parametrize("without", ["", WITHOUT], ids=["by setpriv", "without setpriv"])
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path, without: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(without=without)], cwd=tmp_path)
    try:
        until((tmp_path / "pid").exists)
        child = int((tmp_path / "pid").read_text())
        assert runs(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not runs(child))


def test_a_program_that_is_not_there_is_named_with_what_brings_it() -> None:
    with pytest.raises(MissingTool, match="no-such-program") as raised:
        asyncio.run(process.run(["no-such-program"], package="its-package"))
    assert raised.value.remedy == "install it: apt-get install its-package"


def test_a_program_is_looked_for_in_its_own_path_alone(tmp_path: Path) -> None:
    program = tmp_path / "only-here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert asyncio.run(process.run(["only-here"], env={"PATH": path})).text == "found\n"
    assert asyncio.run(process.run(["./only-here"], cwd=tmp_path)).text == "found\n"
    with pytest.raises(MissingTool):
        asyncio.run(process.run(["only-here"]))


def test_the_exit_code_and_the_last_words_are_those_of_the_program_itself() -> None:
    with pytest.raises(CommandFailed, match="sh ended with 7: it said this") as raised:
        asyncio.run(process.run(["sh", "-c", "echo it said this >&2; exit 7"]))
    assert raised.value.exit_code == 7


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
