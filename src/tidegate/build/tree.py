"""What an image's root file system looks like, as far as steps need to know: directories, links, users. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tidegate.base.errors import InvalidInput

_LINKS = 40


@dataclass(slots=True)
class Tree:
    """Directories and links of an image, by path without a leading slash. A step that adds some says so here."""

    directories: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    users: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)

    def resolve(self, path: str) -> str:
        """Where `path` really leads, links resolved as the image's own root would. Raises InvalidInput on a loop."""
        here: list[str] = []
        ahead = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                here = here[:-1]
                continue
            target = self.links.get("/".join([*here, part]))
            if target is None:
                here.append(part)
                continue
            links += 1
            if links > _LINKS:
                raise InvalidInput(f"{path} goes through too many links")
            here = [] if target.startswith("/") else here
            ahead += [step for step in reversed(target.split("/")) if step not in ("", ".")]
        return "/".join(here)

    def is_directory(self, path: str) -> bool:
        """Whether a directory is at `path`, which is resolved already."""
        return not path or path in self.directories

    def missing(self, path: str) -> Iterator[str]:
        """The directories that `path` (resolved) needs and that are not there yet, parents first; they are now."""
        parts = path.split("/") if path else []
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in self.directories:
                self.directories.add(folder)
                yield folder

    def owner(self, text: str) -> tuple[int, int]:
        """The ids of `user[:group]`, by number or by the image's own lists. Raises ValueError."""
        user, colon, group = text.partition(":")
        if user.isascii() and user.isdigit():
            uid, gid = int(user), int(user)
        elif user in self.users:
            uid, gid = self.users[user]
        else:
            raise ValueError(f"the image has no user {user!r}")
        if colon:
            if group.isascii() and group.isdigit():
                gid = int(group)
            elif group in self.groups:
                gid = self.groups[group]
            else:
                raise ValueError(f"the image has no group {group!r}")
        if max(uid, gid) > 2**32 - 2:
            raise ValueError(f"{text!r} is no user's number")
        return uid, gid


def parse_passwd(text: str) -> dict[str, tuple[int, int]]:
    """Users and their primary groups (passwd(5)); lines that can't be read are left out."""
    return {fields[0]: (int(fields[2]), int(fields[3])) for fields in _colon_lines(text, 4)}


def parse_group(text: str) -> dict[str, int]:
    """Groups (group(5)); lines that can't be read are left out."""
    return {fields[0]: int(fields[2]) for fields in _colon_lines(text, 3)}


def _colon_lines(text: str, needed: int) -> Iterable[list[str]]:
    rows = (line.split(":") for line in text.splitlines())
    return (row for row in rows if len(row) >= needed and all(number.isdigit() for number in row[2:needed]))
