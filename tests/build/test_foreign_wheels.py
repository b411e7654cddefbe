"""Wheels for a foreign Python: how uv is told, what it is run with, and what becomes of its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.base.errors import CommandFailed, InvalidInput, MissingTool, Unavailable
from tidegate.base.process import Completed
from tidegate.build.contents import Contents, content_of
from tidegate.build.context import Context
from tidegate.build.facts import Facts, Python, inspect
from tidegate.build.filesystem import Inode
from tidegate.build.index_settings import IndexSettings
from tidegate.build.interpreter import describe, machine_of, write_stand_in
from tidegate.build.pip import PipInstall
from tidegate.build.wheels import (
    Requirement,
    changes,
    check_version,
    explain_failure,
    forget_cache_notes,
    seed,
    state_of,
    uv_argv,
    uv_environment,
)
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Entry, EntryKind, write_layer

PYTHON = Python("/usr/bin/python3.11", "3.11.2", "usr/local", "lib/python3.11/dist-packages")
FACTS = Facts(python=PYTHON, libc="glibc", libc_version=(2, 36))
ARM = Platform("linux", "arm", "v7")


@pytest.mark.parametrize(
    ("platform", "machine", "suffix"),
    [
        ("linux/arm/v7", "armv7l", ".cpython-311-arm-linux-gnueabihf.so"),
        ("linux/arm64", "aarch64", ".cpython-311-aarch64-linux-gnu.so"),
        ("linux/amd64", "x86_64", ".cpython-311-x86_64-linux-gnu.so"),
    ],
)
def test_the_description_is_of_the_target(platform: str, machine: str, suffix: str) -> None:
    one = Platform.parse(platform)
    description = describe(PYTHON, FACTS, one)
    assert machine_of(one) == machine
    assert description["markers"]["platform_machine"] == machine
    assert description["markers"]["python_full_version"] == "3.11.2"
    replaced = description["replace"]
    assert replaced["extension_suffixes"][0] == suffix
    assert replaced["os"] == {"name": "manylinux", "major": 2, "minor": 36}
    assert replaced["sys_executable"] == "/usr/bin/python3.11"
    assert replaced["scheme"]["purelib"] == "/usr/local/lib/python3.11/dist-packages"
    assert replaced["virtualenv"]["purelib"] == "lib/python3.11/dist-packages"


def test_a_musl_image_gets_musllinux_wheels() -> None:
    description = describe(PYTHON, Facts(libc="musl", libc_version=(1, 2)), ARM)
    assert description["replace"]["os"] == {"name": "musllinux", "major": 1, "minor": 2}


def test_a_platform_or_library_without_wheels_is_refused() -> None:
    with pytest.raises(InvalidInput, match="wheels can't be chosen for linux/mips"):
        machine_of(Platform("linux", "mips"))
    with pytest.raises(InvalidInput, match="no C library"):
        describe(PYTHON, Facts(), ARM)


def test_the_stand_in_answers_for_the_target_and_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    program = write_stand_in(tmp_path, describe(PYTHON, FACTS, ARM))
    question = "import json; print(json.dumps({'markers': {'platform_machine': 'host'}, 'arch': 'host', 'new': 1}))"
    asked = subprocess.run([program, "-I", "-B", "-c", question], capture_output=True, check=True)
    answer = json.loads(asked.stdout)
    assert (answer["arch"], answer["markers"]["platform_machine"], answer["new"]) == ("armv7l", "armv7l", 1)
    assert "pointer_size" not in answer
    assert write_stand_in(tmp_path, describe(PYTHON, FACTS, ARM)) == program


def test_the_stand_in_passes_on_what_is_no_answer(tmp_path: Path) -> None:
    program = write_stand_in(tmp_path, describe(PYTHON, FACTS, ARM))
    asked = subprocess.run([program, "-c", "print('hello'); raise SystemExit(3)"], capture_output=True, check=False)
    assert (asked.stdout, asked.returncode) == (b"hello\n", 3)


def test_names_reach_uv_in_files_and_never_as_arguments() -> None:
    files = [Requirement(Path("/s/0.txt")), Requirement(Path("/s/c.txt"), True)]
    install = PipInstall(names=("--evil",), index_url="https://u:p@i/", upgrade=True, pre=True)
    argv = uv_argv(Path("/uv"), Path("/i/python"), Path("/root/usr/local"), Path("/cache/uv"), install, files)
    assert argv == [
        "/uv", "pip", "install", "--no-config", "--no-progress", "--color", "never", "--cache-dir", "/cache/uv",
        "--python", "/i/python", "--prefix", "/root/usr/local", "--only-binary", ":all:", "--no-python-downloads",
        "--index-strategy", "unsafe-best-match", "--link-mode", "copy", "--upgrade", "--prerelease", "allow",
        "--requirement", "/s/0.txt", "--constraint", "/s/c.txt",
    ]  # fmt: skip


def test_uv_gets_network_and_index_settings_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    install = PipInstall(names=("a",), index_url="https://line/", extra_index_urls=("https://extra/",))
    environment = uv_environment(IndexSettings("https://host/", ("https://more/",)), install)
    assert environment["UV_DEFAULT_INDEX"] == "https://line/"
    assert environment["UV_INDEX"] == "https://extra/ https://more/"
    assert environment["HTTPS_PROXY"] == "http://proxy:3128"
    assert not any("SECRET" in name or name.startswith("PIP_") or name == "HOME" for name in environment)


@pytest.mark.parametrize("text", ["uv 0.4.30 (abc 2024)", "something else", ""])
def test_an_old_uv_is_named_with_what_to_install(text: str) -> None:
    with pytest.raises(MissingTool) as raised:
        check_version(text)
    assert raised.value.remedy == "install it: pip install 'tidegate[build]'"


def test_a_new_uv_will_do() -> None:
    check_version("uv 0.13.9 (x86_64-unknown-linux-gnu)")


def ended(text: str) -> Completed:
    return Completed(1, b"", text.encode())


def test_a_package_without_a_wheel_is_named_with_the_platform() -> None:
    said = (
        "Using CPython 3.11.2 interpreter at: /usr/bin/python3\nerror: No solution found when resolving dependencies\n"
        "  cause: Because all versions of greenlet have no usable wheels and you require greenlet, we can conclude\n"
    )
    error = explain_failure(ended(said), ARM)
    assert isinstance(error, InvalidInput)
    assert str(error).startswith("linux/arm/v7: No solution found when resolving dependencies; Because all versions of")


def test_an_index_that_is_down_is_told_apart_and_its_password_hidden() -> None:
    error = explain_failure(ended("error: Failed to fetch: http://user:secret@i/x\n  cause: dns error\n"), ARM)
    assert isinstance(error, Unavailable)
    assert "secret" not in error.explain()


def test_any_other_end_is_shown_as_it_is() -> None:
    error = explain_failure(ended("thread panicked"), ARM)
    assert isinstance(error, CommandFailed)
    assert "thread panicked" in str(error)


def test_a_layer_holds_what_is_new_or_other_with_pips_modes(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("old")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/x.py").write_text("x")
    before = state_of(tmp_path)
    (tmp_path / "gone/x.py").unlink()
    (tmp_path / "gone").rmdir()
    for path, mode in (
        ("bin/run", 0o775),
        ("lib/new.py", 0o664),
        ("lib/.lock", 0o666),
        ("lib/__pycache__/n.pyc", 0o644),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
        (tmp_path / path).chmod(mode)
    found = {entry.path: entry for entry in changes(tmp_path, before)}
    assert sorted(found) == [".wh.gone", "bin", "bin/run", "lib", "lib/new.py"]
    assert (found["bin/run"].mode, found["lib/new.py"].mode) == (0o755, 0o644)
    assert found["lib"].kind is EntryKind.DIRECTORY


def test_uvs_note_about_a_file_of_this_machine_is_not_kept(tmp_path: Path) -> None:
    site = tmp_path / "usr/local/lib/python3.11/dist-packages"
    for name in ("own-1.0", "other-2.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
        rows = [f"{name}.dist-info/METADATA,sha256=x,1\r\n", f"{name}.dist-info/RECORD,,\r\n"]
        if name == "own-1.0":
            rows.insert(1, "own-1.0.dist-info/uv_cache.json,sha256=y,127\r\n")
            (site / "own-1.0.dist-info/uv_cache.json").write_text('{"timestamp": 1}')
        (site / f"{name}.dist-info/RECORD").write_bytes("".join(rows).encode())
    forget_cache_notes(tmp_path)
    assert {path.name for path in site.rglob("*") if path.is_file()} == {"RECORD"}
    for name in ("own-1.0", "other-2.0"):
        record = (site / f"{name}.dist-info/RECORD").read_bytes().decode()
        assert record == f"{name}.dist-info/METADATA,sha256=x,1\r\n{name}.dist-info/RECORD,,\r\n"


def test_what_is_installed_below_is_there_for_the_resolver_to_see(tmp_path: Path) -> None:
    site = PYTHON.site_packages
    layer = write_layer([Entry(f"{site}/pip/__init__.py", content=b"pip")], tmp_path / "b", mtime=0)
    below = inspect([layer.path]).filesystem()
    below.put(f"{site}/idna.py", Inode(EntryKind.FILE, 0o755, content=content_of(b"i")))
    below.put(f"{site}/link.py", Inode(EntryKind.SYMLINK, target="idna.py"))
    root = tmp_path / "root"
    root.mkdir()
    seed(root, below.nodes, Contents(Context(tmp_path), tmp_path))
    assert (root / site / "pip/__init__.py").read_bytes() == b"pip"
    assert (root / site / "idna.py").read_bytes() == b"i"
    assert (root / site / "idna.py").stat().st_mode & 0o777 == 0o755
    assert (root / site / "link.py").readlink() == Path("idna.py")


def test_the_stand_ins_folder_depends_on_this_machines_python_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_stand_in(tmp_path, describe(PYTHON, FACTS, ARM))
    monkeypatch.setattr(sys, "executable", "/elsewhere/python")
    assert write_stand_in(tmp_path, describe(PYTHON, FACTS, ARM)) != before
