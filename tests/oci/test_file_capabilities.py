"""File capabilities go into a layer without the user they count for, and out of it with one."""

from __future__ import annotations

import io
import os
import struct
import tarfile
from pathlib import Path

import pytest

from tidegate.oci.file_capabilities import CAPABILITY, CAPABILITY_RECORD, capability_in_layer, capability_on_disk
from tidegate.oci.layers import Entry, whiteout, write_layer
from tidegate.oci.rewriting import rewrite_layer
from tidegate.oci.unpack import Faithful, LayerFile, unpack_layer

NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def test_the_forms_are_each_others_opposite() -> None:
    on_disk = capability_on_disk(NET_RAW, 100_000)
    assert struct.unpack("<IIIIII", on_disk) == (0x03000001, 1 << 13, 0, 0, 0, 100_000)
    assert capability_in_layer(on_disk) == NET_RAW
    assert capability_on_disk(NET_RAW, 0) == NET_RAW
    assert capability_in_layer(b"odd") == b"odd"


def test_a_layer_keeps_them_and_setuid_bits(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file capabilities")
    entries = [Entry("bin/ping", content=b"x", mode=0o4755, uid=3, capability=NET_RAW), whiteout("bin/old")]
    layer = write_layer(entries, tmp_path / "layer", mtime=1)
    (tmp_path / "root").mkdir()
    faithful = Faithful("trusted", (), 100_000)
    chown = lambda uid, gid: (100_000 + uid, 100_000 + gid)  # noqa: E731
    unpack_layer(LayerFile(layer.path, layer.diff_id), tmp_path / "root", chown=chown, faithful=faithful)
    status = (tmp_path / "root/bin/ping").stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o4755, 100_003)
    assert capability_in_layer(os.getxattr(tmp_path / "root/bin/ping", CAPABILITY)) == NET_RAW
    assert (tmp_path / "root/bin/old").lstat().st_rdev == 0
    assert (tmp_path / "root/bin").stat().st_uid == 100_000


def test_a_folder_that_is_only_gone_through_looks_as_below(tmp_path: Path) -> None:
    below, root = tmp_path / "below", tmp_path / "root"
    (below / "tmp").mkdir(parents=True)
    (below / "tmp").chmod(0o1777)
    root.mkdir()
    layer = write_layer([Entry("tmp/x")], tmp_path / "layer", mtime=1)
    unpack_layer(LayerFile(layer.path), root, faithful=Faithful("user", (below,)))
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_a_foreign_layer_is_written_again_without_times_and_names(tmp_path: Path) -> None:
    def foreign(moment: int, name: str) -> Path:
        path = tmp_path / f"foreign-{moment}"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for place in ("./srv/", "./srv/a", "./srv/gone"):
                info = tarfile.TarInfo(place)
                info.type = tarfile.DIRTYPE if place.endswith("/") else tarfile.REGTYPE
                info.mtime, info.uname, info.uid, info.mode = moment, name, 7, 0o100640
                info.pax_headers = {"mtime": f"{moment}.5", CAPABILITY_RECORD: "x"}
                tar.addfile(info, io.BytesIO())
        return path

    def wanted(member: tarfile.TarInfo) -> bool:
        return member.name != "srv/gone"

    made = [
        rewrite_layer(foreign(*given), tmp_path / f"made-{at}", mtime=5, level=1, wanted=wanted)
        for at, given in enumerate([(1_000_000_000, "me"), (1_700_000_000, "you")])
    ]
    assert made[0] is not None
    assert made[1] is not None
    assert made[0].descriptor == made[1].descriptor
    with tarfile.open(made[0].path) as tar:
        assert [(one.name, one.mtime, one.uid, one.uname, one.mode) for one in tar] == [
            ("srv", 5, 7, "", 0o640), ("srv/a", 5, 7, "", 0o640),
        ]  # fmt: skip


def test_a_layer_of_which_nothing_is_left_is_none(tmp_path: Path) -> None:
    layer = write_layer([Entry("a")], tmp_path / "layer", mtime=1)
    assert rewrite_layer(layer.path, tmp_path / "made", mtime=1, level=1, wanted=lambda one: False) is None
    assert not (tmp_path / "made").exists()
