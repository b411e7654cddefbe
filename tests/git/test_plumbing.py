"""The command lines of a repository, and the stream that writes a commit."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.files import FILE_LIMIT
from tidegate.git import plumbing
from tidegate.git.command import argv
from tidegate.git.values import LATEST, Signature, parse_commit, parse_tree

GIT_DIR = Path("/srv/a.git")
OLD, NEW = "1" * 40, "2" * 40
BASE = argv(git_dir=GIT_DIR)


def own(command: list[str]) -> list[str]:
    assert command[: len(BASE)] == BASE
    return command[len(BASE) :]


def test_a_ref_moves_by_comparison() -> None:
    assert own(plumbing.update_ref_argv(GIT_DIR, "refs/heads/main", NEW, OLD)) == [
        "update-ref", "--no-deref", "refs/heads/main", NEW, OLD,
    ]  # fmt: skip
    assert own(plumbing.update_ref_argv(GIT_DIR, "refs/heads/main", NEW, None))[-1] == "0" * 40
    assert own(plumbing.update_ref_argv(GIT_DIR, "refs/heads/main", None, OLD))[-3:] == ["-d", "refs/heads/main", OLD]


def test_changed_paths_count_a_rename_as_two() -> None:
    assert own(plumbing.changed_argv(GIT_DIR, OLD, NEW)) == [
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", OLD, NEW, "--",
    ]  # fmt: skip
    assert own(plumbing.changed_argv(GIT_DIR, None, NEW))[0] == "ls-tree"


def test_a_checkout_for_a_job_is_fetched_over_the_file_protocol_alone() -> None:
    command = plumbing.clone_fetch_argv(GIT_DIR, Path("/job/w"), NEW, 1)
    assert "protocol.file.allow=always" in command
    assert command[-4:] == ["--depth=1", "--end-of-options", "/srv/a.git", NEW]
    assert "+refs/heads/*:refs/remotes/origin/*" in plumbing.clone_fetch_argv(GIT_DIR, Path("/job/w"), NEW, 0)
    tagged = plumbing.clone_fetch_argv(GIT_DIR, Path("/job/w"), NEW, 1, tags=True)
    assert "--depth=1" in tagged
    assert tagged[-1] == "+refs/tags/*:refs/tags/*"


@pytest.mark.parametrize("bad", ["main", "", "--all", "1" * 39, "G" * 40])
def test_only_full_object_ids_reach_git(bad: str) -> None:
    with pytest.raises(InvalidInput):
        plumbing.count_argv(GIT_DIR, bad)


def test_the_stream_of_a_commit() -> None:
    stream = plumbing.import_stream(
        OLD,
        "A <a@b> 7 +0000",
        "C <c@d> 7 +0000",
        "Grüße\n",
        [("100755", 'a "q"\\\n.sh', b"x\n"), ("100644", "b", None)],
    )
    assert stream.decode() == (
        "commit refs/tidegate/commit-being-written\nmark :1\nauthor A <a@b> 7 +0000\ncommitter C <c@d> 7 +0000\n"
        "data 8\nGrüße\n\n" + f"from {OLD}\n"
        'M 100755 inline "a \\"q\\"\\\\\\n.sh"\ndata 2\nx\n\n'
        'D "b"\n'
        f"\nget-mark :1\nreset refs/tidegate/commit-being-written\nfrom {'0' * 40}\n\ndone\n"
    )


def test_the_stream_is_bounded() -> None:
    def write(changes: list[tuple[str, str, bytes | None]]) -> None:
        plumbing.import_stream(None, "A <a> 1 +0000", "A <a> 1 +0000", "m", changes)

    with pytest.raises(LimitExceeded):
        write([("100644", "big", bytes(FILE_LIMIT + 1))])
    with pytest.raises(LimitExceeded):
        write([("100644", f"f{number}", b"") for number in range(plumbing.CHANGES_LIMIT + 1)])
    with pytest.raises(InvalidInput):
        write([("100644", "../x", b"")])


def test_a_file_keeps_its_mode_and_a_new_one_is_plain() -> None:
    entries = {"bin": ("040000", "tree"), "bin/run": ("100755", "blob")}
    assert plumbing.kept_modes(entries, {"bin/run": b"1", "bin/new": b"2"}) == [
        ("100644", "bin/new", b"2"),
        ("100755", "bin/run", b"1"),
    ]


@pytest.mark.parametrize(
    ("entries", "path"),
    [
        ({"link": ("120000", "blob")}, "link"),
        ({"link": ("120000", "blob")}, "link/x"),
        ({"sub": ("160000", "commit")}, "sub"),
        ({"sub": ("160000", "commit")}, "sub/x"),
        ({"dir": ("040000", "tree")}, "dir"),
        ({"file": ("100644", "blob")}, "file/x"),
    ],
)
def test_what_is_no_regular_file_is_not_overwritten(entries: dict[str, tuple[str, str]], path: str) -> None:
    with pytest.raises(InvalidInput):
        plumbing.kept_modes(entries, {path: b"x"})


def test_a_signature_cannot_add_lines_to_a_commit() -> None:
    assert Signature("E\nvil <x>", "a@b>\ntree").line(5) == "Evil x <a@btree> 5 +0000"
    with pytest.raises(InvalidInput):
        Signature(" <> ", "").line(5)
    assert Signature("", "a@b").line(5) == "a@b <a@b> 5 +0000"


def test_a_commit_object_is_read() -> None:
    commit = parse_commit(
        NEW,
        b"tree " + b"3" * 40 + b"\nparent " + b"1" * 40 + b"\nauthor A B <a@b> 100 +0200\ncommitter C <c@d> 200 +0000\n"
        b"gpgsig -----BEGIN\n more\n\nSubject\n\nBody\n",
    )
    assert commit.parents == (OLD,)
    assert (commit.author.name, commit.author.email, commit.author.time, commit.author.offset) == (
        "A B",
        "a@b",
        100,
        "+0200",
    )
    assert commit.time == 200
    assert commit.subject == "Subject"
    assert commit.message == "Subject\n\nBody\n"


@pytest.mark.parametrize("size", [20, 32], ids=["SHA-1", "SHA-256"])
def test_a_tree_object_is_read_with_odd_names(size: int) -> None:
    parts = [(b"100644", b"a\tb \n\xff", 1), (b"120000", b"link", 2), (b"40000", b"folder", 3), (b"160000", b"sub", 4)]
    data = b"".join(mode + b" " + name + b"\0" + bytes([number]) * size for mode, name, number in parts)
    first, link, folder, sub = parse_tree(data, size)
    assert first.path.encode("utf-8", "surrogateescape") == b"a\tb \n\xff"
    assert first.id == "01" * size
    assert first.is_file
    assert not link.is_file
    assert [entry.type for entry in (link, folder, sub)] == ["blob", "tree", "commit"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1700000000 +0100", 1_700_000_000), ("-5 +0000", -5), ("", 0), ("now +0000", 0), ("\xb2 +0000", 0),
        ("999999999999999 +0000", LATEST), (f"{'9' * 5000} +0000", LATEST),
    ],
)  # fmt: skip
def test_any_time_that_a_commit_names_is_a_date(written: str, read: int) -> None:
    who = f"A <a@example.org> {written}"
    commit = parse_commit(NEW, f"tree {OLD}\nauthor {who}\ncommitter {who}\n\nwords\n".encode())
    assert commit.time == read
    assert datetime.fromtimestamp(commit.time, UTC)
