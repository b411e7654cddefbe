"""What a shelf keeps where there is not room for all, and after a crash."""

import io
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from tidegate.base.errors import Conflict, InvalidInput, LimitExceeded
from tidegate.runner import shelf as shelves
from tidegate.runner.artifacts import Artifacts, Upload
from tidegate.runner.caches import Caches, Wanted, check_keys
from tidegate.runner.shelf import GIB, Shelf


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time

    def after(self, **step):
        self.time += timedelta(**step)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def disk(monkeypatch):
    """A disk of a size that the test says."""
    usage = {"value": Usage(1000 * GIB, 0, 1000 * GIB)}
    monkeypatch.setattr(shelves.shutil, "disk_usage", lambda path: usage["value"])
    return usage


@pytest.fixture
def source(tmp_path):
    def make(size):
        path = tmp_path / "source"
        path.write_bytes(b"x" * size)
        return path.open("rb")

    return make


def names(shelf):
    return sorted(item.name for item in shelf.items())


def test_the_longest_unused_makes_room(tmp_path, clock, disk, source):
    shelf = Shelf(tmp_path / "shelf", clock, 100)
    for name in "abc":
        clock.after(minutes=1)
        with source(30) as file:
            item = shelf.put(f"group-{name}", name, file, {})
    assert item.size == 30
    clock.after(minutes=1)
    shelf.copy_out(shelf.get("group-a", "a"), tmp_path / "out")
    with source(30) as file:
        shelf.put("group-d", "d", file, {})
    assert names(shelf) == ["a", "c", "d"], "b was not used since it came; a was"
    assert not (tmp_path / "shelf/group-b").exists()


def test_the_own_group_is_never_sacrificed(tmp_path, clock, disk, source):
    shelf = Shelf(tmp_path / "shelf", clock, 100)
    for name in ("one", "two"):
        with source(45) as file:
            shelf.put("own", name, file, {})
    with source(45) as file, pytest.raises(LimitExceeded, match="90 of 100 are taken"):
        shelf.put("own", "three", file, {})
    assert names(shelf) == ["one", "two"]


def test_a_disk_that_is_nearly_full_gets_nothing_more(tmp_path, clock, disk, source):
    shelf = Shelf(tmp_path / "shelf", clock, 10 * GIB)
    disk["value"] = Usage(100 * GIB, 0, GIB + 10)
    with source(11) as file, pytest.raises(LimitExceeded, match="nearly full"):
        shelf.put("own", "one", file, {})
    with source(10) as file:
        shelf.put("own", "one", file, {})
    disk["value"] = Usage(100 * GIB, 0, GIB + 9)
    with pytest.raises(LimitExceeded, match="nearly full"):
        shelf.copy_out(shelf.get("own", "one"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    disk["value"] = Usage(400, 0, 400)
    with source(71) as file, pytest.raises(LimitExceeded, match="of 80 are taken"):
        shelf.put("own", "two", file, {})


def test_what_a_crash_leaves_is_swept_and_what_is_torn_is_not_there(tmp_path, clock, disk, source):
    shelf = Shelf(tmp_path / "shelf", clock, 100)
    with source(5) as file:
        kept = shelf.put("own", "kept", file, {})
    with source(5) as file:
        torn = shelf.put("own", "torn", file, {})
    (tmp_path / "shelf/own" / torn.file).write_bytes(b"")
    for stray in ("x-1.data.new", "y-2.data"):
        (tmp_path / "shelf/own" / stray).write_text("z")
    assert names(shelf) == ["kept"]
    shelf.sweep()
    left = sorted(path.name for path in (tmp_path / "shelf/own").iterdir() if path.name != "torn.json")
    assert left == [kept.file, "kept.json"]


def upload(name="a", **more):
    return Upload(**{"run": "run-1", "attempt": 1, "repository": "acme/shop", "name": name} | more)


def test_an_artifact_expires(tmp_path, clock, disk, source):
    artifacts = Artifacts(tmp_path / "artifacts", clock)
    with source(1) as file:
        artifacts.add(upload("short", days=1), file)
    with source(1) as file:
        artifacts.add(upload("long"), file)
    clock.after(days=1)
    assert [one.name for one in artifacts.of_run("run-1")] == ["long"]
    artifacts.keep_only(["run-1"])
    assert len(list((tmp_path / "artifacts").rglob("*.data"))) == 1
    artifacts.keep_only([])
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_another_runs_artifacts_are_found_by_its_number_in_its_own_repository_only(tmp_path, clock, disk, source):
    artifacts = Artifacts(tmp_path / "artifacts", clock)
    with source(1) as file:
        kept = artifacts.add(upload(), file)
    assert artifacts.of_run_id("Acme/Shop", kept.run_id) == [kept]
    assert artifacts.of_run_id("other/shop", kept.run_id) == []
    with source(1) as file, pytest.raises(Conflict):
        artifacts.add(upload(), file)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", 'a"b', "a:b", "a*b", "a\nb", "x" * 256])
def test_names_that_are_none(tmp_path, clock, name):
    with pytest.raises(InvalidInput, match="can't be named"):
        Artifacts(tmp_path, clock).add(upload(name), io.BytesIO())


MAIN, TOPIC, PULL = "refs/heads/main", "refs/heads/topic", "refs/pull/0/merge topic"


@pytest.fixture
def caches(tmp_path, clock, disk, source):
    caches = Caches(tmp_path / "caches", clock)

    def save(scope, key, version="v", repository="acme/shop"):
        clock.after(minutes=1)
        with source(3) as file:
            return caches.save(repository, scope, key, version, file)

    def find(scopes, *keys, version="v", repository="acme/shop"):
        cache = caches.find(Wanted(repository, scopes, keys, version))
        return cache and (cache.item.facts["scope"], cache.key)

    caches.keep, caches.look = save, find
    return caches


def test_a_key_itself_then_what_begins_with_it_then_the_next_keys(caches):
    for key in ("npm-1", "npm-2", "npm-12", "pip-1"):
        caches.keep(MAIN, key)
    assert caches.look([MAIN], "npm-1") == (MAIN, "npm-1"), "the key itself, though npm-12 is newer"
    assert caches.look([MAIN], "npm-") == (MAIN, "npm-12"), "the newest that begins with the key"
    assert caches.look([MAIN], "go-1", "pip-", "npm-") == (MAIN, "pip-1"), "the first key that finds one"
    assert caches.look([MAIN], "go-1", "go-") is None
    assert caches.look([MAIN], "npm-1", version="other") is None, "other paths are another cache"
    assert caches.look([MAIN], "npm-1", repository="acme/other") is None


def test_the_own_branch_comes_first_and_other_branches_not_at_all(caches):
    caches.keep(MAIN, "k-1")
    caches.keep(TOPIC, "k-2")
    caches.keep(PULL, "k-3")
    assert caches.look([TOPIC, MAIN], "k-1", "k-") == (TOPIC, "k-2"), "a part of a key in the own branch comes first"
    assert caches.look([TOPIC, MAIN], "k-1") == (MAIN, "k-1")
    assert caches.look([MAIN], "k-2") is None
    assert caches.look(["refs/heads/other", MAIN], "k-3", "k-") == (MAIN, "k-1")


def test_a_cache_never_changes_and_goes_when_nobody_has_used_it_for_a_week(caches, clock, tmp_path):
    assert caches.keep(MAIN, "k")
    assert not caches.keep(MAIN, "k")
    assert caches.keep(TOPIC, "k")
    clock.after(days=5)
    caches.copy_out(caches.find(Wanted("acme/shop", [MAIN], ["k"], "v")), tmp_path / "out")
    clock.after(days=5)
    assert caches.look([MAIN], "k") == (MAIN, "k")
    assert caches.look([TOPIC], "k") is None
    assert len(list((tmp_path / "caches").rglob("*.data"))) == 1


def test_keys_that_are_none():
    check_keys(["a" * 512] * 10)
    for keys in (["a,b"], ["a" * 513], ["a"] * 11):
        with pytest.raises(InvalidInput):
            check_keys(keys)
