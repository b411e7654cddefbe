"""The builds' cache: whole or not at all, and made again where it is torn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.contents import content_of
from tidegate.build.filesystem import Filesystem
from tidegate.build.layering import MTIME, Layers
from tidegate.build.store import BuildStore, key_of, write_whole
from tidegate.oci.layers import Entry, directory, symlink
from tidegate.oci.values import Descriptor, digest_of


def test_a_blob_is_kept_under_its_digest(tmp_path: Path) -> None:
    store = BuildStore(tmp_path)
    digest = store.put_blob(b"data")
    assert digest == digest_of(b"data")
    assert store.read_blob(digest) == b"data"
    assert store.has_blob(Descriptor("x/y", digest, 4))
    assert not store.has_blob(Descriptor("x/y", digest, 5))
    assert not store.has_blob(Descriptor("x/y", digest_of(b"other"), 4))


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "md5:aa", "", "sha256:" + "g" * 64])
def test_a_digest_that_is_none_names_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(InvalidInput):
        BuildStore(tmp_path).blob_path(digest)


def test_records_are_remembered_and_torn_ones_are_not_there(tmp_path: Path) -> None:
    store = BuildStore(tmp_path)
    key = key_of({"b": 1, "a": 2})
    assert key == key_of({"a": 2, "b": 1})
    assert store.record("layers", key) is None
    store.remember("layers", key, {"x": 1})
    assert store.record("layers", key) == {"x": 1}
    (tmp_path / "layers" / f"{key}.json").write_bytes(b'{"x"')
    assert store.record("layers", key) is None


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(target, b"x")
    assert sorted(tmp_path.iterdir()) == [target]


def test_scratch_goes_with_its_build_and_a_killed_ones_with_the_next(tmp_path: Path) -> None:
    store = BuildStore(tmp_path)
    (tmp_path / "scratch/killed/deep").mkdir(parents=True)
    with store.scratch() as first, store.scratch() as second:
        assert first.is_dir()
        assert second.is_dir()
        assert not (tmp_path / "scratch/killed").exists()
    assert list((tmp_path / "scratch").iterdir()) == []


class Asked:
    """Gives entries, and counts how often it was asked."""

    def __init__(self, *entries: Entry):
        self.entries, self.times = list(entries), 0

    async def __call__(self) -> list[Entry]:
        self.times += 1
        return self.entries


async def test_a_layer_is_made_once_and_then_found(tmp_path: Path) -> None:
    store = BuildStore(tmp_path)
    asked = Asked(Entry("app/x", content=b"1"), directory("app"), symlink("app/l", "x"))
    first = await Layers(store, tmp_path).get("key", asked)
    again = await Layers(store, tmp_path).get("key", asked)
    assert asked.times == 1
    assert (first.reused, again.reused) == (False, True)
    assert (first.descriptor, first.diff_id) == (again.descriptor, again.diff_id)
    assert first.changes == again.changes
    files = Filesystem()
    files.apply(again.changes)
    assert files.is_directory("app")
    assert files.nodes["app/l"].target == "x"
    assert files.nodes["app/x"].content == content_of(b"1")


async def test_a_layer_whose_blob_is_gone_or_short_is_made_again(tmp_path: Path) -> None:
    store, asked = BuildStore(tmp_path), Asked(Entry("x", content=b"1"))
    first = await Layers(store, tmp_path).get("key", asked)
    assert first.descriptor is not None
    store.blob_path(first.descriptor.digest).write_bytes(b"torn")
    second = await Layers(store, tmp_path).get("key", asked)
    assert asked.times == 2
    assert second.descriptor == first.descriptor
    assert store.has_blob(first.descriptor)


async def test_nothing_to_add_is_no_layer(tmp_path: Path) -> None:
    made = await Layers(BuildStore(tmp_path), tmp_path).get("key", Asked())
    assert made.descriptor is None


def test_the_files_time_can_be_held_by_zip_everywhere() -> None:
    assert MTIME == 315_619_200
