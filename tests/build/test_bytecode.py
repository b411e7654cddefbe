"""Bytecode that is the same every time, and never hides a replaced source."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.build.bytecode import SOURCE_LIMIT, Compiler, can_compile, compile_module
from tidegate.oci.layers import Entry, EntryKind

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
SOURCE = b"NAMES = {'b', 'a', 'c'}\nprint('a' in {'x', 'y', 'z'}, __name__)\n"


def test_only_this_pythons_own_version_is_compiled() -> None:
    assert can_compile(HERE)
    assert not can_compile("3.8")
    assert not can_compile("")


def test_the_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "import sys; from tidegate.build.bytecode import compile_module; "
        f"sys.stdout.buffer.write(compile_module({SOURCE!r}, '/m.py'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert outputs == {compile_module(SOURCE, "/m.py")}


@pytest.mark.parametrize("source", [b"print 'two'\n", b"\xff\xfe", b"x = \x00", b"(" * 500, b"#" * (SOURCE_LIMIT + 1)])
def test_what_is_no_module_is_left_alone(source: bytes) -> None:
    assert compile_module(source, "/m.py") is None


def test_python_uses_it_and_notices_another_source(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes(b"print('source')\n")
    compiled = Path(importlib.util.cache_from_source(str(tmp_path / "m.py")))
    compiled.parent.mkdir()
    data = compile_module(b"print('source')\n", "/m.py")
    assert data is not None
    compiled.write_bytes(data.replace(b"source", b"cached"))

    def run() -> str:
        argv = [sys.executable, "-B", "-c", "import m"]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, text=True).stdout.strip()

    assert run() == "cached"
    (tmp_path / "m.py").write_bytes(b"print('edited')\n")
    assert run() == "edited"


def test_modules_below_a_folder_get_their_cache_directories() -> None:
    entries = [
        Entry("site/a.py", content=b"x = 1\n"),
        Entry("site/pkg/b.py", content=b"y = 2\n"),
        Entry("site/pkg/data.txt", content=b""),
        Entry("site/pkg/not-a-module.py", content=b"z = 3\n"),
        Entry("site/broken.py", content=b"print 'x'\n"),
        Entry("other/c.py", content=b"w = 4\n"),
    ]
    found = list(Compiler().entries(entries, "site"))
    assert [(entry.path, entry.kind) for entry in found] == [
        ("site/__pycache__", EntryKind.DIRECTORY),
        (f"site/__pycache__/a.{TAG}.pyc", EntryKind.FILE),
        ("site/pkg/__pycache__", EntryKind.DIRECTORY),
        (f"site/pkg/__pycache__/b.{TAG}.pyc", EntryKind.FILE),
    ]
