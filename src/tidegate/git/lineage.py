"""What some files were in the commits before one: bounded, and with two children however long the history is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tidegate.base.frozen import frozen
from tidegate.git import command
from tidegate.git.command import argv
from tidegate.git.names import check_object_id, check_path
from tidegate.git.repository import Repository

PATHS_AT_ONCE, LENGTH_AT_ONCE = 500, 256 * 1024
"""How many paths one command line has, and how many characters they come to."""
_NO_FILE = ("000000", "120000", "160000")


@frozen
class Lineage:
    """Commits with their parents, newest first, and what differs between a commit and a parent at the paths that were
    asked for: the blob in the parent, None where there is no regular file.
    """

    parents: Mapping[str, tuple[str, ...]]
    before: Mapping[tuple[str, str], Mapping[str, str | None]]

    def blob_in(self, parent: str, commit: str, path: str, blob: str | None) -> str | None:
        """What a parent has at a path where its commit has `blob`."""
        return self.before.get((commit, parent), {}).get(path, blob)


def parents_argv(git_dir: Path, commit: str, limit: int) -> list[str]:
    """Commits with their parents, newest first."""
    return argv("rev-list", "--parents", f"--max-count={limit}", check_object_id(commit), "--", git_dir=git_dir)


def differences_argv(git_dir: Path, paths: Sequence[str]) -> list[str]:
    """What differs at some paths, for each line `COMMIT PARENT` of stdin."""
    return argv(
        "diff-tree", "--stdin", "--always", "--root", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff",
        "--", *(check_path(path) for path in paths), git_dir=git_dir,
    )  # fmt: skip


async def lineage(repository: Repository, commit: str, paths: Sequence[str], limit: int) -> Lineage:
    """The last `limit` commits that a commit reaches, itself included, and what they did to some paths."""
    listed = await command.run(parents_argv(repository.path, commit, limit))
    # What is read is long, and the event loop has other work.
    parents, pairs, asked = await asyncio.to_thread(_parents, listed.stdout)
    before: dict[tuple[str, str], dict[str, str | None]] = {}
    for some in at_once(paths):
        argv_ = differences_argv(repository.path, some)
        told = await command.run(argv_, stdin=asked)
        await asyncio.to_thread(_add, before, pairs, told.stdout)
    return Lineage(parents, before)


def at_once(paths: Sequence[str]) -> Iterator[list[str]]:
    """The paths in as many parts as command lines can hold."""
    some: list[str] = []
    length = 0
    for path in paths:
        if some and (len(some) == PATHS_AT_ONCE or length + len(path) > LENGTH_AT_ONCE):
            yield some
            some, length = [], 0
        some.append(path)
        length += len(path)
    if some:
        yield some


def _parents(listed: bytes) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, str]], bytes]:
    """Each commit's parents, the pairs to compare, and these as `git diff-tree` is asked for them."""
    lines = (line.split(" ") for line in listed.decode("ascii").splitlines())
    parents = {words[0]: tuple(words[1:]) for words in lines}
    pairs = [(child, parent) for child, above in parents.items() for parent in above or ("",)]
    return parents, pairs, "".join(f"{child} {parent}".rstrip() + "\n" for child, parent in pairs).encode("ascii")


def _add(before: dict[tuple[str, str], dict[str, str | None]], pairs: Sequence[tuple[str, str]], told: bytes) -> None:
    for pair, changed in zip(pairs, parse_differences(told), strict=True):
        if changed:
            before.setdefault(pair, {}).update(changed)


def parse_differences(data: bytes) -> Iterator[dict[str, str | None]]:
    """For each question in turn the paths that differ, and the older blob of each. A header is an id; a difference is
    `:MODE MODE ID ID LETTER` and the path.
    """
    words = iter(data.split(b"\0"))
    found: dict[str, str | None] | None = None
    for word in words:
        if word.startswith(b":"):
            mode, _, old, _, _ = word[1:].decode("ascii").split(" ")
            assert found is not None
            found[next(words).decode("utf-8", "surrogateescape")] = None if mode in _NO_FILE else old
        elif word:
            if found is not None:
                yield found
            found = {}
    if found is not None:
        yield found
