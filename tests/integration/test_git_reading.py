"""Reading a repository through one kept `git cat-file`: how many are started, and that none answers out of date."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.integration.test_git_repository import commit, git

from tidegate.base.errors import CommandFailed, LimitExceeded, NotFound
from tidegate.base.files import FILE_LIMIT
from tidegate.git import batch, tree
from tidegate.git.batch import BATCHES, KEPT, KEPT_SECONDS, Batch, Batches, Found
from tidegate.git.repository import Repository

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]


@pytest.fixture
async def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "bare.git")
    await made.init()
    return made


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The repositories for which a child was started."""
    seen: list[Path] = []

    class Counted(Batch):
        def __init__(self, git_dir: Path):
            seen.append(git_dir)
            super().__init__(git_dir)

    monkeypatch.setattr(BATCHES, "_start", Counted)
    return seen


async def test_all_reading_of_a_repository_starts_one_child(repository: Repository, started: list[Path]) -> None:
    first = await commit(repository, None, {"a/b": b"1", "c": b"2"})
    second = await commit(repository, first, {"a/b": b"3"})
    await repository.update_ref("refs/heads/main", second, None)
    assert await repository.resolve("main") == second
    assert (await repository.log(second)).parents == (first,)
    for wanted in (first, second):
        with repository.files(wanted) as files:
            assert files.read("c") == b"2"
    assert started == [repository.path]


async def test_a_kept_child_sees_what_others_write_move_and_pack(repository: Repository) -> None:
    first = await commit(repository, None, {"a": b"1"})
    await repository.update_ref("refs/heads/main", first, None)
    assert await repository.resolve("main") == first
    second = await commit(repository, first, {"a": b"2"})
    assert await repository.resolve("main") == first
    await repository.update_ref("refs/heads/main", second, first)
    assert await repository.resolve("main") == second
    git("pack-refs", "--all", cwd=repository.path)
    git("gc", "--quiet", "--prune=now", cwd=repository.path)
    assert await repository.resolve("main") == second
    with repository.files(first) as files:
        assert files.read("a") == b"1"
    third = await commit(repository, second, {"a": b"3"})
    await repository.update_ref("refs/heads/main", third, second)
    assert await repository.resolve("refs/heads/main") == third
    await repository.update_ref("refs/heads/main", None, third)
    assert await repository.resolve("refs/heads/main") is None


async def test_a_repository_made_anew_under_the_same_path_is_read_anew(repository: Repository) -> None:
    before = await commit(repository, None, {"a": b"1"})
    git("repack", "-adq", cwd=repository.path)
    assert await repository.resolve(before) == before
    shutil.rmtree(repository.path)
    assert await repository.resolve(before) is None
    await repository.init()
    assert await repository.resolve(before) is None


async def test_a_child_that_was_killed_meanwhile_is_replaced(repository: Repository, started: list[Path]) -> None:
    made = await commit(repository, None, {"a": b"1"})
    assert await repository.resolve(made) == made
    kept = BATCHES.take(repository.path)
    kept._process.kill()
    kept._process.wait()
    with pytest.raises(CommandFailed):
        kept.ask([made])
    BATCHES.give(repository.path, kept)
    assert await repository.resolve(made) == made
    assert len(started) == 2


async def test_a_child_whose_reader_failed_in_the_middle_answers_nobody_else(repository: Repository) -> None:
    made = await commit(repository, None, {"a": b"1", "b": b"2"})
    pool = Batches()

    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    child = pool.take(repository.path)
    read, child._read = child._read, stop  # type: ignore[method-assign]
    with pytest.raises(StoppedError):
        child.ask([made])
    child._read = read  # type: ignore[method-assign]
    pool.give(repository.path, child)
    assert pool.take(repository.path) is not child


async def test_children_that_nobody_needs_end_after_a_while(repository: Repository) -> None:
    moment = [0.0]
    pool = Batches(now=lambda: moment[0])
    one, two = pool.take(repository.path), pool.take(repository.path)
    pool.give(repository.path, one)
    moment[0] = KEPT_SECONDS / 2
    pool.give(repository.path, two)
    pool.sweep()
    assert one.lives
    moment[0] = KEPT_SECONDS
    pool.sweep()
    assert (one.lives, two.lives) == (False, True)
    moment[0] = 2 * KEPT_SECONDS
    pool.sweep()
    assert not two.lives


async def test_no_more_children_are_kept_than_a_few(repository: Repository) -> None:
    pool = Batches()
    children = [pool.take(repository.path) for _ in range(KEPT + 2)]
    for child in children:
        pool.give(repository.path, child)
    assert [child.lives for child in children] == [False, False] + [True] * KEPT


async def test_an_object_that_is_too_large_is_left_out_and_the_next_one_read(repository: Repository) -> None:
    blob = git("hash-object", "-w", "--stdin", cwd=repository.path, stdin="x" * (FILE_LIMIT + 1)).strip()
    small = git("hash-object", "-w", "--stdin", cwd=repository.path, stdin="small").strip()
    with repository.files(await commit(repository, None, {"a": b"1"})) as files:
        assert dict(files.read_blobs([blob, small])) == {blob: None, small: b"small"}
        with pytest.raises(LimitExceeded):
            files.read_blob(blob)
        with pytest.raises(NotFound):
            files.read_blob("1" * 40)


async def test_a_silent_child_is_not_waited_for_for_ever(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ANSWER_TIMEOUT", 0.01)
    monkeypatch.setattr(batch, "batch_argv", lambda _: ["sleep", "600"])
    child = Batch(repository.path)
    with pytest.raises(CommandFailed, match="said nothing"):
        child.ask(["1" * 40])
    child.close()


async def test_files_are_listed_as_git_lists_them(repository: Repository, started: list[Path]) -> None:
    names = {f"folder-{number}/deep/{number}.yaml": b"%d" % number for number in range(200)}
    made = await commit(repository, None, {**names, "ü/é": b"", "a b": b"", "folder-1/x": b"run"})
    listed = git("ls-tree", "-r", "-z", "--name-only", "--full-tree", made, cwd=repository.path)
    with repository.files(made) as files:
        assert list(files.paths()) == sorted(listed.split("\0")[:-1])
    assert len(started) == 1


async def test_of_a_new_commit_only_the_changed_folders_are_read(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await commit(repository, None, {f"{number}/a": b"%d" % number for number in range(50)})
    with repository.files(first) as files:
        assert len(list(files.paths())) == 50
    asked: list[str] = []
    ask = Batch.ask

    def noting(child: Batch, names: Sequence[str]) -> list[Found | None]:
        asked.extend(names)
        return ask(child, names)

    monkeypatch.setattr(Batch, "ask", noting)
    second = await commit(repository, first, {"7/a": b"new"})
    asked.clear()
    with repository.files(second) as files:
        assert files.read("7/a") == b"new"
    assert len(asked) == 4, "the commit, its root, the changed folder, the file"


async def test_trees_that_hold_each_other_many_times_over_are_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = git("hash-object", "-w", "--stdin", cwd=repository.path, stdin="x").strip()
    below = git("mktree", cwd=repository.path, stdin=f"100644 blob {blob}\tf\n").strip()
    for _ in range(12):
        lines = "".join(f"040000 tree {below}\t{name}\n" for name in "abcdefghij")
        below = git("mktree", cwd=repository.path, stdin=lines).strip()
    made = git("-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "bomb", below, cwd=repository.path)
    monkeypatch.setattr(tree, "ENTRIES_LIMIT", 5000)
    with repository.files(made.strip()) as files, pytest.raises(LimitExceeded):
        files.paths()
