"""A pack of our own holds what git needs to have the commits, and no more; git itself is the judge."""

import subprocess
from itertools import pairwise

import pytest

from tidegate.git.batch import Batch
from tidegate.git.packing import COMMITS_LIMIT, pack, pack_between
from tidegate.git.repository import Repository
from tidegate.git.values import Signature

ME = Signature("Me", "me@example.org")


@pytest.fixture
async def repository(tmp_path):
    found = Repository(tmp_path / "one.git")
    await found.init()
    return found


async def commits(repository, *changes):
    """A commit for each of these changes, one on top of the other."""
    made, parent = [], None
    for number, files in enumerate(changes):
        parent = await repository.write_commit(parent, files, author=ME, message=f"{number}\n", time=number)
        made.append(parent)
    return made


def between(repository, old, new):
    batch = Batch(repository.path)
    try:
        return pack_between(batch, old, new)
    finally:
        batch.close()


def git(path, *arguments, stdin=None):
    done = subprocess.run(
        ["git", "-C", str(path), *arguments], input=stdin, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


FILES = {"a/b/c.yaml": b"1\n", "a/d.yaml": b"2\n", "e/f.yaml": b"3\n", "top": b"4\n"}
CHANGES = [
    {"a/b/c.yaml": b"new\n"},
    {"a/b/c.yaml": b"1\n"},
    {"a/d.yaml": None, "new/deep/file": b"", "top": b"x" * 100_000},
    {"e/f.yaml": None},
    {"a/b/c.yaml": b"again\n", "e/f.yaml": b"3\n"},
]


async def test_another_repository_has_everything_with_the_pack(repository, tmp_path):
    made = await commits(repository, FILES, *CHANGES)
    for old, new in [*pairwise(made), (made[0], made[-1]), (made[1], made[4])]:
        other = tmp_path / f"{old[:6]}-{new[:6]}.git"
        git(tmp_path, "init", "--quiet", "--bare", str(other))
        git(repository.path, "push", "--quiet", str(other), f"{old}:refs/heads/main")
        before = count(other)
        packed = between(repository, old, new)
        git(other, "unpack-objects", "-q", "--strict", stdin=packed)
        git(other, "update-ref", "refs/heads/main", new)
        git(other, "fsck", "--full", "--strict")
        wanted = git(repository.path, "rev-list", "--objects", new, f"^{old}").split(b"\n")
        assert count(other) - before <= len(wanted)


def count(path):
    return len(git(path, "cat-file", "--batch-all-objects", "--batch-check").splitlines())


async def test_what_is_no_short_line_is_left_to_git(repository):
    first, second = await commits(repository, FILES, CHANGES[0])
    assert between(repository, second, first) is None
    tree = git(repository.path, "rev-parse", f"{second}^{{tree}}").decode().strip()
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    merge = git(repository.path, *identity, "commit-tree", "-p", first, "-p", second, "-m", "merge", tree)
    assert between(repository, first, merge.decode().strip()) is None
    many = await commits(repository, FILES, *({"top": str(n).encode()} for n in range(COMMITS_LIMIT + 1)))
    assert between(repository, many[0], many[-1]) is None
    assert between(repository, many[1], many[-1]) is not None


async def test_what_is_large_is_left_to_git(repository):
    first, second = await commits(repository, FILES, {"large": b"x" * (5 * 1024 * 1024)})
    assert between(repository, first, second) is None


@pytest.mark.parametrize("size", [0, 1, 15, 16, 2047, 2048, 300_000])
def test_sizes_of_every_length_are_read_by_git(tmp_path, size):
    git(tmp_path, "init", "--quiet", "--bare", ".")
    git(tmp_path, "unpack-objects", "-q", stdin=pack([("blob", b"y" * size)]))
    (line,) = git(tmp_path, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    assert line.split()[1:] == [b"blob", str(size).encode()]
