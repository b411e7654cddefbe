"""docs/build.md says what the builder does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidegate.build import archives, context, dockerfile, filesystem, remote
from tidegate.build.commands import read_script
from tidegate.build.native import NotNative

PAGE = (Path(__file__).parents[2] / "docs/build.md").read_text()
MEANT = {
    "mkdir": "/a", "rm": "a", "rmdir": "a", "cp": "a b", "mv": "a b", "ln -s": "a b", "touch": "a", "install": "a b",
    "chmod": "600 a", "chown": "1 a", "chgrp": "1 a", "echo": "a > b", "printf": "a > b", "cat": "a > b",
    "useradd": "a", "groupadd": "a", "usermod -aG": "a b", "adduser": "-D a", "addgroup": "a", "set": "-e",
    "cd": "/", "export": "A=1", "true": "", ".": "/v/bin/activate", "pip install": "a", "python -m pip install": "a",
    "uv pip install": "--system a", "python -m venv": "/v", "apt-get install": "-y tini",
}  # fmt: skip


def commands() -> list[str]:
    """What the first column of the table of commands names."""
    rows = PAGE.partition("### Commands of a `RUN`")[2].partition("A command that would fail")[0].splitlines()
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1] if "|" in row else "")]


def test_every_command_that_is_named_native_is_read() -> None:
    assert sorted(commands()) == sorted([*MEANT, "activate"])
    for name, words in MEANT.items():
        read_script(f"{name} {words}", {"HOME": "/root", "PATH": "/usr/bin"}, "/")


NOT_NATIVE = ["pip install .", "pip install -e a", "pip install --prefix=/x a", "uv sync", "uv venv", "ln a b",
              "cp -rL a b", "a | b", "if a; then b; fi", "echo $(a)"]  # fmt: skip


@pytest.mark.parametrize("text", NOT_NATIVE)
def test_what_is_named_as_not_native_is_not_read(text: str) -> None:
    with pytest.raises(NotNative):
        read_script(text, {}, "/")


def test_the_bounds_are_the_builders() -> None:
    assert "1 MiB and 200 stages" in PAGE
    assert (dockerfile.SIZE_LIMIT, dockerfile.STAGE_LIMIT) == (1024**2, 200)
    assert "a context 200 000 files and 4 GiB, an archive the same, a URL 1 GiB" in PAGE
    assert (
        (context.ENTRY_LIMIT, context.SIZE_LIMIT) == (archives.ENTRY_LIMIT, archives.SIZE_LIMIT) == (200_000, 4 << 30)
    )
    assert remote.SIZE_LIMIT == 1 << 30
    assert filesystem.NODE_LIMIT == 1_000_000
