"""Files are written all or none, and no person's file is replaced."""

import subprocess

import pytest

from tidegate.base.errors import AlreadyExists, Conflict, InvalidInput, TidegateError
from tidegate.cli.file_changes import write_all
from tidegate.update.diff import unified_diff

BEFORE = {"a.txt": b"one\r\ntwo"}
FILES = {"new/deep/x.txt": b"x\n", "a.txt": b"one\r\ntwo\nthree\n", "run.sh": b"#!/bin/sh\n", "empty": b""}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.txt").write_bytes(BEFORE["a.txt"])
    (tmp_path / "a.txt").chmod(0o640)
    return tmp_path


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_are_written_with_their_rights(folder):
    write_all(folder, FILES, BEFORE, {"run.sh"})
    assert everything(folder) == FILES
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o640
    assert (folder / "run.sh").stat().st_mode & 0o100
    assert not (folder / "new/deep/x.txt").stat().st_mode & 0o100


@pytest.mark.parametrize(
    ("meanwhile", "error"),
    [
        ({"run.sh": b"mine"}, AlreadyExists),
        ({"a.txt": b"changed"}, Conflict),
        ({"empty/file": b"a folder"}, AlreadyExists),
        ({"new": b"a file"}, TidegateError),
    ],
)
def test_where_one_can_not_be_written_none_is(folder, meanwhile, error):
    for path, content in meanwhile.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    before = everything(folder)
    with pytest.raises(error):
        write_all(folder, FILES, BEFORE)
    assert everything(folder) == before
    assert not (folder / "new").is_dir()


def test_nothing_is_written_through_a_symlink(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (folder / "new").symlink_to(outside)
    with pytest.raises(InvalidInput, match="symlink"):
        write_all(folder, FILES, BEFORE)
    (folder / "new").unlink()
    (folder / "empty").symlink_to(outside / "target")
    with pytest.raises(InvalidInput, match="symlink"):
        write_all(folder, FILES, BEFORE)
    assert list(outside.iterdir()) == []
    assert (folder / "a.txt").read_bytes() == BEFORE["a.txt"]


def test_the_diff_is_one_that_git_applies(folder):
    diff = b"".join(
        unified_diff(lambda path: (folder / path).read_bytes(), FILES, FILES.keys() - BEFORE.keys(), {"run.sh"})
    )
    subprocess.run(["git", "apply", "-p1", "-"], input=diff, cwd=folder, check=True, timeout=30)
    assert everything(folder) == FILES
    assert (folder / "run.sh").stat().st_mode & 0o100
