"""Which of the builds' cache goes where it is over its budget."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.evicting import VARIABLE, Kept, budget, choose, evict
from tidegate.build.store import BuildStore

GIB = 1024**3


def kept(**used: float) -> list[Kept]:
    return [Kept(moment, 10, Path(name)) for name, moment in used.items()]


def test_the_longest_unused_go_first_and_no_more_than_needed() -> None:
    gone = choose(kept(a=3, b=1, c=2), 15, before=100)
    assert [one.path.name for one in gone] == ["b", "c"]
    assert choose(kept(a=3, b=1), 20, before=100) == []


def test_nothing_that_was_used_since_a_build_began_goes() -> None:
    assert [one.path.name for one in choose(kept(a=1, b=50), 0, before=10)] == ["a"]


@pytest.mark.parametrize(
    ("text", "size"), [("", 10 * GIB), ("20GB", 20 * GIB), ("500M", 500 * 1024**2), ("1GiB", GIB), ("7", 7)]
)
def test_the_budget_is_said_by_a_variable(text: str, size: int) -> None:
    assert budget({VARIABLE: text} if text else {}, 1000 * GIB) == size


def test_a_small_disk_has_a_small_budget() -> None:
    assert budget({}, 8 * GIB) == 2 * GIB


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match=VARIABLE):
        budget({VARIABLE: "much"}, GIB)


def test_a_locked_folder_stays_and_a_free_one_goes(tmp_path: Path) -> None:
    roots = tmp_path / "roots/root"
    for name in ("used", "free"):
        (roots / name).mkdir(parents=True)
        (roots / name / "file").write_bytes(bytes(100_000))
        (roots / f"{name}.lock").write_text("100000")
        os.utime(roots / f"{name}.lock", (1, 1))
    store = BuildStore(tmp_path)
    with (roots / "used.lock").open() as held, store.scratch():
        fcntl.flock(held, fcntl.LOCK_SH)
        evict(store, 0)
    assert sorted(path.name for path in roots.iterdir()) == ["used", "used.lock"]


def test_a_blob_with_other_bytes_is_not_there(tmp_path: Path) -> None:
    store = BuildStore(tmp_path)
    digest = store.put_blob(b"right")
    store.blob_path(digest).write_bytes(b"wrong")
    assert store.put_blob(b"right") == digest
    assert store.read_blob(digest) == b"right"
