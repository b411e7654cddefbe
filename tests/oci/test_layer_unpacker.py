"""Unpacking follows OCI's layer rules and never reaches outside of the folder."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.base.errors import AlreadyExists, InvalidInput, LimitExceeded, TidegateError
from tidegate.oci.layers import Entry, EntryKind, directory, symlink, whiteout, write_layer
from tidegate.oci.unpack import LayerFile, Limits, remove_tree, unpack_image, unpack_layer

Member = tuple[str, bytes, bytes | str]
FILE, LINK, SYMLINK, DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


def tar_of(*members: Member, edit: Callable[[tarfile.TarInfo], None] = lambda info: None) -> bytes:
    """A tar with anything in it, as somebody hostile writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = 0o755
            if isinstance(content, str):
                info.linkname = content
            else:
                info.size = len(content)
            edit(info)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def unpack(tmp_path: Path, *layers: bytes, limits: Limits | None = None) -> Path:
    root = tmp_path / "outer" / "root"
    root.mkdir(parents=True, exist_ok=True)
    for data in layers:
        (tmp_path / "layer").write_bytes(data)
        unpack_layer(LayerFile(tmp_path / "layer"), root, limits=limits)
    return root


def tree(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        found[name] = f"-> {path.readlink()}" if path.is_symlink() else "dir" if path.is_dir() else path.read_text()
    return found


def test_written_layer_unpacks_to_the_same(tmp_path: Path) -> None:
    entries = [
        directory("app", 0o750),
        Entry("app/run", mode=0o755, content=b"#!"),
        Entry("app/again", EntryKind.HARDLINK, target="app/run"),
        symlink("app/link", "/app/run"),
    ]
    layer = write_layer(entries, tmp_path / "layer.tar.gz", mtime=1700000000)
    root = tmp_path / "root"
    root.mkdir()
    unpack_layer(LayerFile(layer.path, layer.diff_id), root)
    assert tree(root) == {"app": "dir", "app/again": "#!", "app/link": "-> /app/run", "app/run": "#!"}
    assert stat.S_IMODE((root / "app").stat().st_mode) == 0o750
    assert (root / "app/run").stat().st_mtime == 1700000000
    assert (root / "app/run").stat().st_ino == (root / "app/again").stat().st_ino


def test_plain_and_gzip_layers_are_told_apart_by_their_bytes(tmp_path: Path) -> None:
    plain = tar_of(("a", FILE, b"1"))
    assert tree(unpack(tmp_path, plain)) == tree(unpack(tmp_path, gzip.compress(plain))) == {"a": "1"}


def test_zstd_layer_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="zstd"):
        unpack(tmp_path, b"\x28\xb5\x2f\xfd" + b"\0" * 100)


def test_other_diff_id_is_refused(tmp_path: Path) -> None:
    layer = write_layer([Entry("a")], tmp_path / "layer", mtime=0)
    (tmp_path / "root").mkdir()
    with pytest.raises(InvalidInput, match="unpacks to sha256:"):
        unpack_layer(LayerFile(layer.path, "sha256:" + "0" * 64), tmp_path / "root")


def test_whiteout_removes_a_file_or_a_folder_of_a_lower_layer(tmp_path: Path) -> None:
    lower = tar_of(("etc/a", FILE, b"1"), ("etc/b/c", FILE, b"2"), ("etc/d", FILE, b"3"))
    upper = tar_of(("etc/.wh.a", FILE, b""), ("etc/.wh.b", FILE, b""), ("etc/.wh.absent", FILE, b""))
    assert tree(unpack(tmp_path, lower, upper)) == {"etc": "dir", "etc/d": "3"}


def test_whiteout_spares_what_its_own_layer_wrote(tmp_path: Path) -> None:
    # "Files that are present in the same layer as a whiteout file can only be hidden by whiteout files in subsequent
    # layers."
    lower = tar_of(("etc/b/old", FILE, b"1"), ("etc/a", FILE, b"1"))
    upper = tar_of(("etc/b/new", FILE, b"2"), ("etc/.wh.b", FILE, b""), ("etc/a", FILE, b"2"), ("etc/.wh.a", FILE, b""))
    assert tree(unpack(tmp_path, lower, upper)) == {"etc": "dir", "etc/a": "2", "etc/b": "dir", "etc/b/new": "2"}


@pytest.mark.parametrize("first", [True, False])
def test_opaque_folder_hides_lower_children_wherever_the_marker_stands(tmp_path: Path, *, first: bool) -> None:
    lower = tar_of(("bin/my-app", FILE, b"1"), ("bin/tools/x", FILE, b"1"))
    marker: Member = ("bin/.wh..wh..opq", FILE, b"")
    new: Member = ("bin/tools/y", FILE, b"2")
    upper = tar_of(marker, new) if first else tar_of(new, marker)
    assert tree(unpack(tmp_path, lower, upper)) == {"bin": "dir", "bin/tools": "dir", "bin/tools/y": "2"}


def test_whiteout_of_a_symlink_leaves_its_target(tmp_path: Path) -> None:
    lower = tar_of(("a/file", FILE, b"1"), ("link", SYMLINK, "a"))
    assert tree(unpack(tmp_path, lower, tar_of((".wh.link", FILE, b"")))) == {"a": "dir", "a/file": "1"}


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_whiteout_of_nothing_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outer" / "root").mkdir(parents=True)
    (tmp_path / "outer" / "precious").write_text("1")
    with pytest.raises(InvalidInput, match="whiteout"):
        unpack(tmp_path, tar_of((name, FILE, b"")))
    assert (tmp_path / "outer" / "precious").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "./../evil", "a/.."])
def test_path_that_leads_up_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="leads out of the image"):
        unpack(tmp_path, tar_of((name, FILE, b"1")))
    assert not (tmp_path / "outer" / "evil").exists()


def test_absolute_path_starts_at_the_images_root(tmp_path: Path) -> None:
    assert tree(unpack(tmp_path, tar_of(("/etc/evil", FILE, b"1")))) == {"etc": "dir", "etc/evil": "1"}


@pytest.mark.parametrize("up", ["/", "../../..", "..", "/../..", "x/../../.."])
def test_link_that_leads_out_is_followed_inside_of_the_image_only(tmp_path: Path, up: str) -> None:
    outside = tmp_path / "outer"
    root = unpack(tmp_path, tar_of(("x", DIRECTORY, b""), ("link", SYMLINK, up), ("link/evil", FILE, b"1")))
    assert tree(root) == {"x": "dir", "link": f"-> {up}", "evil": "1"}
    assert [path.name for path in outside.iterdir()] == ["root"]


def test_link_of_a_lower_layer_is_followed_as_the_image_means_it(tmp_path: Path) -> None:
    lower = tar_of(("usr/lib", DIRECTORY, b""), ("lib", SYMLINK, "usr/lib"))
    root = unpack(tmp_path, lower, tar_of(("lib/arm/x.so", FILE, b"1")))
    assert (root / "usr/lib/arm/x.so").read_text() == "1"


def test_file_in_the_place_of_a_link_replaces_the_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("1")
    root = unpack(tmp_path, tar_of(("a", SYMLINK, str(precious)), ("a", FILE, b"2")))
    assert (tree(root), precious.read_text()) == ({"a": "2"}, "1")


def test_directory_that_becomes_a_link_gets_no_mode_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    members: list[Member] = [("d", DIRECTORY, b""), ("d/e", DIRECTORY, b""), ("d", SYMLINK, str(tmp_path))]
    (tmp_path / "e").mkdir(mode=0o700)
    unpack(tmp_path, tar_of(*members, ("outside", SYMLINK, str(outside))))
    assert stat.S_IMODE(outside.stat().st_mode) == stat.S_IMODE((tmp_path / "e").stat().st_mode) == 0o700


def test_hard_link_reaches_only_what_the_image_has(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "precious").write_text("1")
    for target in ("../precious", str(tmp_path / "outer" / "precious"), "absent", "", "."):
        with pytest.raises(InvalidInput):
            unpack(tmp_path, tar_of(("a", LINK, target)))
    with pytest.raises(InvalidInput):
        unpack(tmp_path, tar_of(("up", SYMLINK, ".."), ("a", LINK, "up/precious")))


def test_write_through_a_hard_link_does_not_change_the_other_name(tmp_path: Path) -> None:
    root = unpack(tmp_path, tar_of(("a", FILE, b"1"), ("b", LINK, "a"), ("b", FILE, b"2")))
    assert tree(root) == {"a": "1", "b": "2"}


def test_links_in_a_ring_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="too many links"):
        unpack(tmp_path, tar_of(("a", SYMLINK, "b"), ("b", SYMLINK, "a"), ("a/x", FILE, b"1")))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_or_pipe_is_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(InvalidInput, match="device or a pipe"):
        unpack(tmp_path, tar_of(("dev/null", kind, b"")))


def test_setuid_bits_are_dropped_and_sticky_kept(tmp_path: Path) -> None:
    def setuid(info: tarfile.TarInfo) -> None:
        info.mode = 0o7755

    root = unpack(tmp_path, tar_of(("su", FILE, b""), ("tmp", DIRECTORY, b""), edit=setuid))
    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o1755
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1755


def test_closed_directory_can_still_be_filled_and_removed(tmp_path: Path) -> None:
    def closed(info: tarfile.TarInfo) -> None:
        info.mode = 0o000 if info.isdir() else 0o644

    layer = tar_of(("a", DIRECTORY, b""), ("a/b", DIRECTORY, b""), ("a/b/c", FILE, b"1"), edit=closed)
    root = unpack(tmp_path, layer, tar_of(("a/b/d", FILE, b"2")))
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o700
    (root / "a").chmod(0)
    remove_tree(root)
    assert not root.exists()


def test_limits_on_entries_bytes_and_paths(tmp_path: Path) -> None:
    small = Limits(entries=2, size=64 * 1024, path=10)
    with pytest.raises(LimitExceeded, match="more than 2 entries"):
        unpack(tmp_path, tar_of(*[(f"{at}", FILE, b"") for at in range(3)]), limits=small)
    with pytest.raises(LimitExceeded, match="more than 65536 bytes"):
        unpack(tmp_path, gzip.compress(tar_of(("a", FILE, b"\0" * 10_000_000))), limits=small)
    with pytest.raises(LimitExceeded, match="longer than 10 bytes"):
        unpack(tmp_path, tar_of(("a" * 11, FILE, b"")), limits=small)
    with pytest.raises(InvalidInput, match="longer than 255 bytes"):
        unpack(tmp_path, tar_of(("a" * 256, FILE, b"")))
    with pytest.raises(LimitExceeded, match="deep"):
        unpack(tmp_path, tar_of(("a/" * 300 + "b", FILE, b"")))


def test_header_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 1024**3
    with pytest.raises(LimitExceeded, match="header"):
        unpack(tmp_path, header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 10240)


@pytest.mark.parametrize("mtime", ["nan", "inf", "-5", "1e300"])
def test_impossible_times_are_bounded(tmp_path: Path, mtime: str) -> None:
    def timed(info: tarfile.TarInfo) -> None:
        info.pax_headers = {"mtime": mtime}

    root = unpack(tmp_path, tar_of(("a", FILE, b""), edit=timed))
    assert 0 <= (root / "a").stat().st_mtime <= 2**33


def test_truncated_layers_are_refused(tmp_path: Path) -> None:
    plain = tar_of(("a", FILE, os.urandom(100_000)))
    packed = gzip.compress(plain)
    for broken in (plain[:50_000], packed[:50_000], packed[:-4], b"", b"no tar at all" * 100):
        with pytest.raises(InvalidInput):
            unpack(tmp_path, broken)


def test_image_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    good = write_layer([Entry("a", content=b"1")], tmp_path / "good", mtime=0)
    upper = write_layer([Entry("b", content=b"2"), whiteout("a")], tmp_path / "upper", mtime=0)
    (tmp_path / "bad").write_bytes(b"garbage" * 100)
    layers = [LayerFile(good.path, good.diff_id), LayerFile(upper.path, upper.diff_id)]
    with pytest.raises(InvalidInput):
        unpack_image([*layers, LayerFile(tmp_path / "bad")], tmp_path / "rootfs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good", "upper"]
    unpack_image(layers, tmp_path / "rootfs")
    assert tree(tmp_path / "rootfs") == {"b": "2"}
    with pytest.raises(AlreadyExists):
        unpack_image(layers, tmp_path / "rootfs")


def test_what_a_killed_unpacking_left_is_replaced(tmp_path: Path) -> None:
    good = write_layer([Entry("a", content=b"1")], tmp_path / "good", mtime=0)
    (tmp_path / ".rootfs.partial").mkdir()
    (tmp_path / ".rootfs.partial" / "half").write_text("1")
    unpack_image([LayerFile(good.path)], tmp_path / "rootfs")
    assert tree(tmp_path / "rootfs") == {"a": "1"}


def test_owners_are_asked_for_and_may_be_mapped(tmp_path: Path) -> None:
    layer = write_layer([Entry("a", uid=33, gid=34), symlink("l", "x")], tmp_path / "layer", mtime=0)
    (tmp_path / "root").mkdir()
    asked = []

    def own(uid: int, gid: int) -> tuple[int, int]:
        asked.append((uid, gid))
        return os.getuid(), os.getgid()

    unpack_layer(LayerFile(layer.path), tmp_path / "root", chown=own)
    assert sorted(asked) == [(0, 0), (33, 34)]


names = st.sampled_from(
    ["a", "b", "a/b", "a/b/c", "../x", "a/../../x", "/abs", "..", ".", "a/.wh.b", ".wh.a", ".wh..wh..opq", "b/a", "/"]
)
links = st.sampled_from(["a", "b", "..", "../..", "/", "/a", "../precious", "a/b", "../../outer/precious", "."])
entry = st.one_of(
    st.tuples(names, st.just(FILE), st.binary(max_size=8)),
    st.tuples(names, st.just(DIRECTORY), st.just(b"")),
    st.tuples(names, st.sampled_from([SYMLINK, LINK]), links),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(entry, max_size=8), min_size=1, max_size=3))
def test_no_sequence_of_entries_reaches_outside(layers: list[list[Member]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outer = Path(folder) / "outer"
        (outer / "root").mkdir(parents=True)
        (outer / "precious").write_text("precious")
        (outer / "precious").chmod(0o600)
        before = (outer / "precious").stat()
        for members in layers:
            (Path(folder) / "layer").write_bytes(tar_of(*members))
            try:
                unpack_layer(LayerFile(Path(folder) / "layer"), outer / "root")
            except TidegateError:
                break
        after = (outer / "precious").stat()
        assert sorted(path.name for path in outer.iterdir()) == ["precious", "root"]
        assert sorted(path.name for path in Path(folder).iterdir()) == ["layer", "outer"]
        assert (outer / "precious").read_text() == "precious"
        assert (after.st_mode, after.st_mtime, after.st_nlink) == (before.st_mode, before.st_mtime, before.st_nlink)
