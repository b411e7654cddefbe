"""Layers are the same bytes wherever they are written, and hold what was asked for."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.oci.layers import Entry, EntryKind, directory, folder_entries, symlink, whiteout, write_layer
from tidegate.oci.values import OCI_LAYER_GZIP

ENTRIES = [
    directory("app"),
    Entry("app/main.py", mode=0o644, content=b"print('hello')\n"),
    Entry("app/run", mode=0o755, content=b"#!/bin/sh\n", uid=1000, gid=1000),
    symlink("app/latest", "/app/main.py"),
    Entry("app/again.py", EntryKind.HARDLINK, target="app/main.py"),
    Entry("a" * 120 + "/" + "ü" * 60, content=b"x" * 1000),
    whiteout("etc/old.conf"),
]


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {member.name: member for member in tar}


def test_order_of_entries_does_not_matter(tmp_path: Path) -> None:
    first = write_layer(ENTRIES, tmp_path / "one", mtime=1700000000)
    shuffled = ENTRIES.copy()
    random.Random(7).shuffle(shuffled)
    second = write_layer(shuffled, tmp_path / "two", mtime=1700000000)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (first.descriptor, first.diff_id) == (second.descriptor, second.diff_id)


def test_diff_id_is_the_same_on_every_machine_and_python(tmp_path: Path) -> None:
    layer = write_layer(ENTRIES, tmp_path / "layer", mtime=1700000000)
    assert layer.diff_id == "sha256:1daea3fb2c9ebde3cc5348259e68c26f35c059d59b7f9dce2b9d45497c3b86c2"


def test_descriptor_and_diff_id_are_those_of_the_bytes(tmp_path: Path) -> None:
    layer = write_layer(ENTRIES, tmp_path / "layer", mtime=0)
    blob = layer.path.read_bytes()
    assert layer.descriptor.media_type == OCI_LAYER_GZIP
    assert layer.descriptor.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert layer.descriptor.size == len(blob)
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(blob)).hexdigest()}"


def test_gzip_header_names_neither_time_nor_file_nor_system(tmp_path: Path) -> None:
    blob = write_layer(ENTRIES, tmp_path / "layer", mtime=1700000000).path.read_bytes()
    assert blob[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_entries_arrive_with_their_modes_owners_links_and_time(tmp_path: Path) -> None:
    layer = write_layer(ENTRIES, tmp_path / "layer", mtime=1700000000)
    found = members(layer.path)
    assert found["app"].isdir()
    assert (found["app/run"].mode, found["app/run"].uid, found["app/run"].gid) == (0o755, 1000, 1000)
    assert (found["app/latest"].issym(), found["app/latest"].linkname) == (True, "/app/main.py")
    assert (found["app/again.py"].islnk(), found["app/again.py"].linkname) == (True, "app/main.py")
    assert "etc/.wh.old.conf" in found
    assert {member.mtime for member in found.values()} == {1700000000}
    assert {member.uname + member.gname for member in found.values()} == {""}


def test_hard_links_come_after_what_they_share(tmp_path: Path) -> None:
    entries = [Entry("a", EntryKind.HARDLINK, target="z"), Entry("z", content=b"1")]
    assert list(members(write_layer(entries, tmp_path / "layer", mtime=0).path)) == ["z", "a"]


def test_folder_gives_its_files_without_owner_or_times(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "tool").write_bytes(b"x")
    (folder / "sub" / "tool").chmod(0o750)
    (folder / "link").symlink_to("/etc/passwd")
    first = write_layer(folder_entries(folder, "srv"), tmp_path / "one", mtime=5)
    os.utime(folder / "sub" / "tool", (1, 1))
    second = write_layer(folder_entries(folder, "srv"), tmp_path / "two", mtime=5)
    assert first.descriptor == second.descriptor
    found = members(first.path)
    assert list(found) == ["srv/link", "srv/sub", "srv/sub/tool"]
    assert (found["srv/sub/tool"].mode, found["srv/sub/tool"].uid, found["srv/sub/tool"].size) == (0o750, 0, 1)
    assert found["srv/link"].linkname == "/etc/passwd"


def test_folder_with_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="neither a file"):
        list(folder_entries(tmp_path))


def test_file_that_became_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "file").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic"):
        write_layer([Entry("file", content=tmp_path / "file")], tmp_path / "layer", mtime=0)


@pytest.mark.parametrize("path", ["", "/", "..", "a/../../b", "a\0b"])
def test_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput, match="no path inside a layer"):
        write_layer([Entry(path)], tmp_path / "layer", mtime=0)


def test_path_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="twice"):
        write_layer([Entry("a/b"), Entry("./a//b")], tmp_path / "layer", mtime=0)


def test_failure_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_layer([Entry("a", content=tmp_path / "absent")], tmp_path / "out" / "layer", mtime=0)
    assert list((tmp_path / "out").iterdir()) == []


def test_tar_ends_as_the_format_asks(tmp_path: Path) -> None:
    plain = gzip.decompress(write_layer([Entry("a", content=b"1")], tmp_path / "layer", mtime=0).path.read_bytes())
    assert len(plain) % 512 == 0
    assert plain.endswith(b"\0" * 1024)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == ["a"]
