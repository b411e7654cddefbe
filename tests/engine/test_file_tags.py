import asyncio
import os

import pytest

from tidegate.base.errors import NotFound, Unavailable
from tidegate.engine.file_tags import FileTags, checksum
from tidegate.engine.ports import TagsLost

WEB = "ghcr.io/acme/web"
MANY = [f"1.{number:06}" for number in range(10_000)]


@pytest.fixture
def tags(tmp_path):
    return FileTags(tmp_path / "tags")


def only_file(folder):
    [path] = (folder / "tags").iterdir()
    return path


async def test_tags_come_back_as_put(tags, tmp_path):
    await tags.put(WEB, ["1.0.0", "latest"])
    await tags.put("ghcr.io/acme/api", [])
    assert await FileTags(tmp_path / "tags").get(WEB) == ["1.0.0", "latest"]
    assert await tags.get("ghcr.io/acme/api") == []


async def test_many_tags_come_back_sorted(tags):
    assert await tags.put(WEB, MANY[::-1]) == checksum(MANY)
    assert await tags.get(WEB) == MANY


async def test_the_checksum_changes_with_the_tags_and_not_with_their_order(tags):
    first = await tags.put("a/b", ["1", "2"])
    assert await tags.put("a/b", ["2", "1"]) == first
    assert await tags.put("a/b", ["1", "2", "3"]) != first


async def test_the_checksum_is_flux_s(tags):
    # Adler-32 (RFC 1950, section 9) of "1\n2": the first sum goes 50, 60, 110; the second is their sum.
    assert await tags.put("a/b", ["2", "1"]) == str((50 + 60 + 110) * 2**16 + 110)
    assert checksum([]) == "1"


async def test_tags_of_another_checksum_are_not_those_that_were_asked_for(tags):
    revision = await tags.put("a/b", ["1", "2"])
    assert await tags.lines("a/b", revision) == "1\n2\n"
    await tags.put("a/b", ["1"])
    with pytest.raises(TagsLost):
        await tags.lines("a/b", revision)


async def test_tags_never_put_are_not_found(tags):
    with pytest.raises(NotFound):
        await tags.get("../../etc/passwd")
    await tags.delete("never/put")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * path.stat().st_size),
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.write_bytes(path.read_bytes() + b"9.9.9\n"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"1.000001", b"9.000001")),
        lambda path: path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[1:])),
        lambda path: path.write_bytes(b"\xff\xfe"),
    ],
)
async def test_a_damaged_file_is_lost_and_the_next_scan_brings_it_back(tags, tmp_path, damage):
    await tags.put(WEB, MANY)
    damage(only_file(tmp_path))
    with pytest.raises(TagsLost):
        await tags.get(WEB)
    await tags.put(WEB, MANY)
    assert await tags.get(WEB) == MANY


async def test_the_same_tags_are_not_written_again(tags, tmp_path):
    await tags.put(WEB, MANY)
    path = only_file(tmp_path)
    os.utime(path, ns=(1, 1))
    await tags.put(WEB, MANY[::-1])
    assert path.stat().st_mtime_ns == 1
    await tags.put(WEB, MANY[1:])
    assert path.stat().st_mtime_ns != 1


async def test_two_objects_of_one_image_may_be_scanned_at_once(tags, tmp_path):
    lists = [[*MANY, f"2.0.{number}"] for number in range(8)]
    await asyncio.gather(*(tags.put(WEB, one) for one in lists))
    assert await tags.get(WEB) in lists
    only_file(tmp_path)


async def test_what_a_killed_process_has_begun_goes_with_the_next_one(tags, tmp_path):
    await tags.put(WEB, MANY)
    path = only_file(tmp_path)
    for name in (".new", ".0123456789abcdef.new"):
        path.with_suffix(name).write_bytes(b"half")
    assert await FileTags(tmp_path / "tags").get(WEB) == MANY
    assert only_file(tmp_path) == path


async def test_a_disk_that_takes_nothing_is_told_with_the_file(tags, tmp_path):
    await tags.put(WEB, ["1"])
    path = only_file(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match=f"{path.name} can't be written: Is a directory"):
        await tags.put(WEB, ["1"])
    assert only_file(tmp_path) == path
    with pytest.raises(TagsLost):
        await tags.get(WEB)
