"""Who a RUN runs as: USER's ids, groups and home, by the stage's own /etc/passwd and /etc/group as they are now."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_LIMIT = 1024 * 1024


@frozen
class Account:
    """The ids that a command gets, and its home."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


def account(user: str, folders: Iterable[Path]) -> Account:
    """What `user[:group]` means on a stack of folders, the topmost first. Raises InvalidInput where there is none."""
    below = tuple(folders)
    people = [row for row in _rows(below, "etc/passwd") if len(row) >= 6 and row[2].isdigit() and row[3].isdigit()]
    teams = [row for row in _rows(below, "etc/group") if len(row) >= 4 and row[2].isdigit()]
    name, _, group = (user or "0").partition(":")
    found = next((row for row in people if name in (row[0], row[2])), None)
    if found is None and not _is_id(name):
        raise InvalidInput(f"the image has no user {name!r}")
    uid, gid = (int(found[2]), int(found[3])) if found else (int(name), 0)
    home = (found[5] if found else "/") or "/"
    groups: tuple[int, ...] = ()
    if group:
        team = next((row for row in teams if group in (row[0], row[2])), None)
        if team is None and not _is_id(group):
            raise InvalidInput(f"the image has no group {group!r}")
        gid = int(team[2]) if team else int(group)
    elif found:
        groups = tuple(sorted({int(row[2]) for row in teams if found[0] in row[3].split(",")}))
    return Account(uid, gid, groups, home)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 65536


def _rows(folders: tuple[Path, ...], path: str) -> list[list[str]]:
    for folder in folders:
        try:
            mode = (folder / path).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISREG(mode):
            return []
        with (folder / path).open("rb") as file:
            text = file.read(_LIMIT).decode("utf-8", "replace")
        return [line.split(":") for line in text.splitlines()]
    return []
