"""A folder of tags is read page by page and listed once, unless it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.oci import tag_folder
from tidegate.oci.tag_folder import TagFolders, _place_after

LONG_AGO = 1_000_000_000


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were listed."""
    seen: list[str] = []
    real = os.listdir

    def noted(folder: Path) -> list[str]:
        seen.append(folder.name)
        return real(folder)

    monkeypatch.setattr(tag_folder.os, "listdir", noted)
    return seen


def made(folder: Path, *names: str, changed: float = LONG_AGO) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    os.utime(folder, (changed, changed))
    return folder


def read(folders: TagFolders, folder: Path, most: int) -> list[str]:
    found: list[str] = []
    more = True
    while more:
        page, more = folders.page(folder, found[-1] if found else None, most)
        assert len(page) == most or not more
        found += page
    return found


def test_many_pages_are_read_from_one_listing(tmp_path: Path, listed: list[str]) -> None:
    names = [f"1.0.{number}" for number in range(50)]
    folder = made(tmp_path / "web", *names, ".being-written")
    assert read(TagFolders(), folder, 3) == sorted(names)
    assert listed == ["web"]


def test_a_change_is_seen_in_the_next_page(tmp_path: Path, listed: list[str]) -> None:
    folders, folder = TagFolders(), made(tmp_path / "web", "a", "c")
    assert folders.page(folder, None, 1) == (["a"], True)
    made(folder, "b", changed=LONG_AGO + 1)
    assert folders.page(folder, "a", 5) == (["b", "c"], False)
    assert listed == ["web", "web"]


def test_a_folder_that_has_just_changed_is_listed_each_time(tmp_path: Path, listed: list[str]) -> None:
    folders, folder = TagFolders(), made(tmp_path / "web", "a")
    (folder / "b").touch()
    for _ in range(2):
        assert folders.page(folder, None, 5) == (["a", "b"], False)
    assert listed == ["web", "web"]


def test_a_large_folder_is_not_kept(tmp_path: Path, listed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_folder, "LONGEST_KEPT", 10)
    assert read(TagFolders(), made(tmp_path / "web", *"abcdefgh"), 4) == list("abcdefgh")
    assert listed == ["web", "web"]


def test_where_there_is_no_folder_there_are_no_tags(tmp_path: Path) -> None:
    assert TagFolders().page(tmp_path / "absent", None, 5) == ([], False)


@given(st.sets(st.text("ab.-_9", min_size=1, max_size=4)), st.text("ab.-_9~\n", max_size=4))
def test_what_comes_after_a_name_begins_where_a_comparison_says(names: set[str], after: str) -> None:
    text = "\n".join([*sorted(names), ""]) if names else ""
    assert text[_place_after(text, after) :].split("\n")[:-1] == sorted(name for name in names if name > after)
