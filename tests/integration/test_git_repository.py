"""The git room against the real git program."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tidegate.base.errors import CommandFailed, Conflict, InvalidInput, LimitExceeded, NotFound, Unavailable
from tidegate.base.files import FILE_LIMIT
from tidegate.git import recovery
from tidegate.git.mirror import Mirrors
from tidegate.git.remote import Remote, ls_remote
from tidegate.git.repository import Repository
from tidegate.git.values import Signature

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
FLUX = Signature("Flux Image Automation", "flux@example.org")


def git(*arguments: str, cwd: Path, stdin: str = "") -> str:
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": "/nonexistent",
    }
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=env, check=True, capture_output=True, text=True, input=stdin
    ).stdout


@pytest.fixture
async def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "bare.git")
    await made.init()
    return made


async def commit(repository: Repository, parent: str | None, files: dict[str, bytes | None], message: str = "m") -> str:
    return await repository.write_commit(parent, files, author=FLUX, message=message, time=1_700_000_000)


async def test_a_commit_without_a_checkout_is_what_git_would_have_written(repository: Repository) -> None:
    first = await commit(repository, None, {"a/b.yaml": b"x: 1\n", "c": b"\0\xff"}, "First\n\nBody\n")
    second = await commit(repository, first, {"a/b.yaml": b"x: 2\n", "c": None, 'odd "name"\n\\é': b"!"}, "Second")
    assert git("fsck", "--strict", "--unreachable", cwd=repository.path)
    assert await repository.refs() == {}
    assert not list((repository.path / "refs").rglob("*import*"))
    with repository.files(second) as files:
        assert list(files.paths()) == ["a/b.yaml", 'odd "name"\n\\é']
        assert files.read("a/b.yaml") == b"x: 2\n"
        assert files.is_dir("a")
        assert files.is_dir("")
        assert not files.is_dir("a/b.yaml")
        assert files.is_file("a/b.yaml")
        with pytest.raises(NotFound):
            files.read("c")
    assert await repository.changed(first, second) == ["a/b.yaml", "c", 'odd "name"\n\\é']
    assert await repository.changed(None, first) == ["a/b.yaml", "c"]
    assert await repository.commit_count(second) == 2
    told = await repository.log(second)
    assert (told.parents, told.author.name, told.message, told.time) == ((first,), FLUX.name, "Second", 1_700_000_000)
    assert [one.id for one in await repository.history(second)] == [second, first]
    assert [one.subject for one in await repository.history(second, since=first)] == ["Second"]


async def test_the_same_commit_twice_is_one_commit(repository: Repository) -> None:
    assert await commit(repository, None, {"a": b"1"}) == await commit(repository, None, {"a": b"1"})


async def test_a_ref_moves_only_from_where_the_caller_saw_it(repository: Repository) -> None:
    first = await commit(repository, None, {"a": b"1"})
    second = await commit(repository, first, {"a": b"2"})
    await repository.update_ref("refs/heads/main", first, None)
    with pytest.raises(Conflict):
        await repository.update_ref("refs/heads/main", second, None)
    with pytest.raises(Conflict):
        await repository.update_ref("refs/heads/main", first, second)
    await repository.update_ref("refs/heads/main", second, first)
    assert await repository.resolve("main") == second
    assert await repository.resolve("HEAD") == second
    assert await repository.resolve("gone") is None
    await repository.update_ref("refs/heads/main", None, second)
    assert await repository.refs("refs/heads/") == {}


async def test_of_many_movers_of_one_ref_one_wins(repository: Repository) -> None:
    base = await commit(repository, None, {"a": b"0"})
    await repository.update_ref("refs/heads/main", base, None)
    rivals = [await commit(repository, base, {"a": str(number).encode()}) for number in range(6)]
    moves = [repository.update_ref("refs/heads/main", rival, base) for rival in rivals]
    outcomes = await asyncio.gather(*moves, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, Conflict) for outcome in outcomes)


async def test_symlinks_and_submodules_are_no_files_and_are_not_overwritten(
    repository: Repository, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git("init", "-q", cwd=work)
    (work / "real").mkdir()
    (work / "real" / "x.sh").write_text("run")
    (work / "real" / "x.sh").chmod(0o755)
    (work / "link").symlink_to("real")
    (work / "out").symlink_to("/etc/passwd")
    git("add", ".", cwd=work)
    git("-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x", cwd=work)
    git("push", "-q", str(repository.path), "HEAD:refs/heads/main", cwd=work)
    head = await repository.resolve("main")
    assert head
    with repository.files(head) as files:
        assert list(files.paths()) == ["real/x.sh"]
    for path in ("link", "link/x.sh", "out", "real"):
        with pytest.raises(InvalidInput):
            await commit(repository, head, {path: b"evil"})
    after = await commit(repository, head, {"real/x.sh": b"run 2"})
    assert "100755 blob" in git("ls-tree", after, "real/x.sh", cwd=repository.path)


async def test_a_blob_past_the_limit_is_not_read_and_does_not_spoil_the_next(
    repository: Repository, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(FILE_LIMIT + 1))
    blob = git("hash-object", "-w", str(big), cwd=repository.path).strip()
    tree = git("mktree", cwd=repository.path, stdin=f"100644 blob {blob}\tbig\n").strip()
    made = git("-c", "user.name=a", "-c", "user.email=b", "commit-tree", "-m", "x", tree, cwd=repository.path).strip()
    after = await commit(repository, made, {"small": b"1"})
    with repository.files(after) as files:
        with pytest.raises(LimitExceeded):
            files.read("big")
        assert files.read("small") == b"1"


async def test_reading_many_blobs_at_once(repository: Repository) -> None:
    contents = {
        f"d{number % 7}/f{number}.yaml": bytes([65 + number % 26]) * (number * 37 % 5000) for number in range(500)
    }
    made = await repository.write_commit(None, contents, author=FLUX, message="m")
    with repository.files(made) as files:
        by_id = {blob: path for path, blob in files.blobs().items()}
        for blob, data in files.read_blobs(list(by_id)):
            assert data == contents[by_id[blob]]


async def test_exporting_all_or_some_files(repository: Repository, tmp_path: Path) -> None:
    made = await commit(repository, None, {"a/x": b"1", "a/y": b"2", "b/*": b"3", ".gitattributes": b"* text=auto\n"})
    everything, some = tmp_path / "all", tmp_path / "some"
    everything.mkdir()
    some.mkdir()
    await repository.export(made, everything)
    assert sorted(path.relative_to(everything).as_posix() for path in everything.rglob("*") if path.is_file()) == [
        ".gitattributes", "a/x", "a/y", "b/*",
    ]  # fmt: skip
    await repository.export(made, some, ["a", "b/*"])
    assert not (some / ".gitattributes").exists()
    assert (some / "b/*").read_bytes() == b"3"
    assert not list(tmp_path.rglob(".git"))
    with pytest.raises(NotFound):
        await repository.export(made, some, ["nothing"])


async def test_a_checkout_for_a_job_is_on_its_branch(repository: Repository, tmp_path: Path) -> None:
    first = await commit(repository, None, {"a": b"1"})
    second = await commit(repository, first, {"a": b"2"})
    await repository.update_ref("refs/heads/feature/x", second, None)
    shallow, full, tagged = tmp_path / "shallow", tmp_path / "full", tmp_path / "tagged"
    await repository.clone_into(shallow, second, "refs/heads/feature/x", url="http://127.0.0.1:1/git/me/x.git")
    await repository.clone_into(full, second, "refs/heads/feature/x", depth=0)
    await repository.clone_into(tagged, first, "refs/tags/v1", depth=1)
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=shallow).strip() == "feature/x"
    assert git("rev-list", "--count", "HEAD", cwd=shallow).strip() == "1"
    assert git("rev-list", "--count", "HEAD", cwd=full).strip() == "2"
    assert git("status", "--porcelain", cwd=shallow) == ""
    assert git("remote", "get-url", "origin", cwd=shallow).strip() == "http://127.0.0.1:1/git/me/x.git"
    assert git("rev-parse", "v1", "HEAD", cwd=tagged).split() == [first, first]
    assert (tagged / "a").read_bytes() == b"1"


async def test_locks_of_a_killed_git_are_removed_and_a_living_repository_is_left_alone(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "SETTLE_SECONDS", 0.0)
    first = await commit(repository, None, {"a": b"1"})
    await repository.update_ref("refs/heads/main", first, None)
    lock = repository.path / "refs/heads/main.lock"
    lock.touch()
    (repository.path / "objects/tmp_objdir-incoming-abc").mkdir()
    with pytest.raises(Conflict):
        await repository.update_ref("refs/heads/main", await commit(repository, first, {"a": b"2"}), first)
    assert sorted(await repository.recover()) == ["objects/tmp_objdir-incoming-abc", "refs/heads/main.lock"]
    assert await repository.recover() == []
    assert await repository.resolve("main") == first


@pytest.mark.parametrize("left", ["config.lock", "HEAD.lock"])
async def test_a_repository_whose_making_was_killed_is_made_by_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setattr(recovery, "SETTLE_SECONDS", 0.0)
    half = Repository(tmp_path / "half.git")
    (half.path / "refs").mkdir(parents=True)
    (half.path / "objects").mkdir()
    (half.path / left).touch()
    await half.init()
    made = await commit(half, None, {"a": b"1"})
    await half.update_ref("refs/heads/main", made, None)
    assert await half.head() == "refs/heads/main"
    assert not (half.path / left).exists()


async def test_what_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandFailed):
        await Repository(tmp_path / "file").init()


async def test_a_mirror_follows_its_remote_and_pushes_without_force(repository: Repository, tmp_path: Path) -> None:
    remote = Remote(f"file://{repository.path}", file_roots=(tmp_path,))
    first = await commit(repository, None, {"a": b"1"})
    await repository.update_ref("refs/heads/main", first, None)
    assert await ls_remote(remote, ["refs/heads/main", "refs/heads/none", "HEAD"]) == {
        "refs/heads/main": first,
        "HEAD": first,
    }
    mirrors = Mirrors(tmp_path / "mirrors")
    mirror = await mirrors.fetch(remote, ["refs/heads/main"])
    assert await mirror.resolve("main") == first
    ours = await commit(mirror, first, {"a": b"ours"})
    await mirrors.push(mirror, remote, ours, "main", first)
    assert await repository.resolve("main") == ours
    assert await mirror.resolve("main") == ours
    theirs = await commit(repository, ours, {"b": b"theirs"})
    await repository.update_ref("refs/heads/main", theirs, ours)
    again = await commit(mirror, ours, {"a": b"again"})
    with pytest.raises(Conflict):
        await mirrors.push(mirror, remote, again, "main", ours)
    assert await repository.resolve("main") == theirs
    await mirrors.fetch(remote)
    redone = await commit(mirror, theirs, {"a": b"again"})
    await mirrors.push(mirror, remote, redone, "main", theirs)
    await mirrors.push(mirror, remote, redone, "flux/updates", None)
    assert await ls_remote(remote) == {"HEAD": redone, "refs/heads/main": redone, "refs/heads/flux/updates": redone}


async def test_a_branch_that_was_set_back_is_not_filled_up_again(repository: Repository, tmp_path: Path) -> None:
    remote = Remote(f"file://{repository.path}", file_roots=(tmp_path,))
    first = await commit(repository, None, {"a": b"1"})
    second = await commit(repository, first, {"a": b"2"})
    await repository.update_ref("refs/heads/main", second, None)
    mirrors = Mirrors(tmp_path / "mirrors")
    mirror = await mirrors.fetch(remote, ["refs/heads/main"])
    ours = await commit(mirror, second, {"a": b"3"})
    await repository.update_ref("refs/heads/main", first, second)
    with pytest.raises(Conflict):
        await mirrors.push(mirror, remote, ours, "main", second)
    assert await repository.resolve("main") == first
    unrelated = await commit(mirror, None, {"z": b"z"})
    with pytest.raises(Conflict):
        await mirrors.push(mirror, remote, unrelated, "main", first)


async def test_a_remote_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await ls_remote(Remote(f"file://{tmp_path}/none", file_roots=(tmp_path,)))
    with pytest.raises(Unavailable):
        await ls_remote(Remote("http://127.0.0.1:9/x"), timeout=10)
    empty = Repository(tmp_path / "empty.git")
    await empty.init()
    remote = Remote(f"file://{empty.path}", file_roots=(tmp_path,))
    with pytest.raises(Conflict):
        await Mirrors(tmp_path / "m").fetch(remote, ["refs/heads/main"])


async def test_a_line_is_traced_to_the_commit_that_changed_it_last(repository: Repository) -> None:
    name = 'odd "name" é.yaml'
    first = await commit(repository, None, {"a.yaml": b"1\n2\n3\n", name: b"x\ny\n"})
    second = await commit(repository, first, {"a.yaml": b"1\nchanged\n3\n"})
    third = await commit(repository, second, {"a.yaml": b"0\n1\nchanged\n3\n", name: b"x\nz\n"})
    origin = await repository.blame(third, "a.yaml", 3)
    assert (origin.commit, origin.path, origin.line) == (second, "a.yaml", 2)
    assert (await repository.blame(third, "a.yaml", 4)).commit == first
    origin = await repository.blame(third, name, 2)
    assert (origin.commit, origin.path, origin.line) == (third, name, 2)
    for path, line in (("a.yaml", 9), ("gone.yaml", 1)):
        with pytest.raises(NotFound, match="no line"):
            await repository.blame(third, path, line)
