"""Where COPY puts things, and that a layer's key is what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.build.contents import Contents, content_of
from tidegate.build.context import Context
from tidegate.build.copying import ContextSource, StageSource, copy_into
from tidegate.build.filesystem import Accounts, Filesystem, Inode, folder_inode
from tidegate.build.steps import Copy, NamedFile, Origin
from tidegate.oci.layers import EntryKind

ACCOUNTS = Accounts({"web": (33, 34)}, {"staff": 50})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    for path in ("main.py", "other.py", "src/a.py", "src/deep/b.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def link(target: str) -> Inode:
    return Inode(EntryKind.SYMLINK, 0o777, target=target)


def file(text: str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Inode:
    return Inode(EntryKind.FILE, mode, uid, gid, content_of(text.encode()))


def image() -> Filesystem:
    folders = {path: folder_inode() for path in ("usr", "usr/bin", "app")}
    return Filesystem(folders | {"bin": link("usr/bin"), "srv": link("/app")})


def made(step: Copy, folder: Path, stage: Filesystem | None = None) -> dict[str, Inode | None]:
    """What a step changes in the image."""
    contents = Contents(Context(folder), folder.parent)
    source = ContextSource(contents.context, contents) if stage is None else StageSource(stage, "the stage")
    files = image()
    copy_into(step, source, files, ACCOUNTS, contents)
    return files.changes_since(image())


def put(folder: Path, *sources: str, to: str, owner: str = "", mode: int | None = None) -> dict[str, Inode]:
    return {path: one for path, one in made(Copy(1, "", sources, to, owner, mode), folder).items() if one is not None}


@pytest.mark.parametrize(
    ("sources", "to", "paths"),
    [
        (["main.py"], "/app/", ["app/main.py"]),
        (["main.py"], "/app", ["app/main.py"]),
        (["main.py"], "/app/x.py", ["app/x.py"]),
        (["main.py"], "/new/x.py", ["new", "new/x.py"]),
        (["main.py"], "/new/", ["new", "new/main.py"]),
        (["main.py", "other.py"], "/app/", ["app/main.py", "app/other.py"]),
        (["src"], "/app/", ["app/a.py", "app/deep", "app/deep/b.py"]),
        (["src"], "/new", ["new", "new/a.py", "new/deep", "new/deep/b.py"]),
        (["src", "main.py"], "/app/", ["app/a.py", "app/deep", "app/deep/b.py", "app/main.py"]),
        (["main.py"], "/bin/run", ["usr/bin/run"]),
        (["main.py"], "/srv/", ["app/main.py"]),
    ],
)
def test_files_go_where_buildkit_puts_them(folder: Path, sources: list[str], to: str, paths: list[str]) -> None:
    assert sorted(put(folder, *sources, to=to)) == paths


def test_owner_and_mode_are_the_flags_or_roots_and_gits(folder: Path) -> None:
    (folder / "run.sh").write_text("x")
    (folder / "run.sh").chmod(0o775)
    plain = put(folder, "run.sh", "main.py", to="/app/")
    assert (plain["app/run.sh"].mode, plain["app/main.py"].mode, plain["app/main.py"].uid) == (0o755, 0o644, 0)
    owned = put(folder, "src", to="/app/", owner="web:staff", mode=0o600)["app/a.py"]
    assert (owned.uid, owned.gid, owned.mode) == (33, 50, 0o600)


@pytest.mark.parametrize(("owner", "ids"), [("5", (5, 5)), ("5:6", (5, 6)), ("web", (33, 34)), ("web:7", (33, 7))])
def test_owners_are_numbers_or_names_of_the_image(owner: str, ids: tuple[int, int]) -> None:
    assert ACCOUNTS.owner(owner) == ids


@pytest.mark.parametrize("owner", ["nobody-here", "web:nogroup", "99999999999"])
def test_an_owner_that_the_image_does_not_have_is_refused(folder: Path, owner: str) -> None:
    with pytest.raises(InvalidInput):
        put(folder, "main.py", to="/app/", owner=owner)


def test_several_files_need_a_directory(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="only be copied to a directory"):
        put(folder, "*.py", to="/new")


def test_a_file_can_not_replace_a_directory(folder: Path) -> None:
    (folder / "usr").write_text("x")
    with pytest.raises(InvalidInput, match="can't replace the directory /usr"):
        put(folder, "usr", to="/")


def test_a_missing_source_is_named(folder: Path) -> None:
    with pytest.raises(NotFound, match="gone is not in the context"):
        put(folder, "gone", to="/app/")


def test_a_link_inside_a_copied_directory_stays_a_link(folder: Path) -> None:
    (folder / "src/link").symlink_to("/etc/passwd")
    assert put(folder, "src", to="/app/")["app/link"].target == "/etc/passwd"


def test_time_and_umask_of_the_context_change_nothing(folder: Path) -> None:
    before = put(folder, "src", to="/app/")
    (folder / "src/a.py").touch()
    (folder / "src/a.py").chmod(0o664)
    assert put(folder, "src", to="/app/") == before
    assert put(folder, "src", to="/app/", owner="5") != before
    (folder / "src/a.py").write_text("other")
    assert put(folder, "src", to="/app/") != before


def test_small_and_large_files_come_out_as_they_are(folder: Path, tmp_path: Path) -> None:
    (folder / "large").write_bytes(b"x" * 600_000)
    contents = Contents(Context(folder), tmp_path)
    files = image()
    step = Copy(1, "", ("large", "main.py"), "/app/")
    copy_into(step, ContextSource(contents.context, contents), files, ACCOUNTS, contents)
    found = {entry.path: entry.content for entry in contents.entries(files.changes_since(image()))}
    assert found["app/main.py"] == b"main.py"
    large = found["app/large"]
    assert isinstance(large, Path)
    assert large.read_bytes() == b"x" * 600_000


def test_a_file_that_changes_meanwhile_is_noticed(folder: Path, tmp_path: Path) -> None:
    contents = Contents(Context(folder), tmp_path)
    files = image()
    source = ContextSource(contents.context, contents)
    copy_into(Copy(1, "", ("main.py",), "/app/"), source, files, ACCOUNTS, contents)
    (folder / "main.py").write_text("changed")
    with pytest.raises(InvalidInput, match="was changed while it was built"):
        contents.entries(files.changes_since(image()))


def stage() -> Filesystem:
    """What an earlier stage left."""
    return Filesystem(
        {
            "opt": folder_inode(),
            "opt/venv": folder_inode(0o750, 7, 8),
            "opt/venv/run": file("run", 0o4755, 7, 8),
            "opt/venv/here": link("run"),
            "opt/current": link("venv"),
            "opt/a.whl": file("a"),
            "opt/b.whl": file("b"),
        }
    )


def from_stage(folder: Path, *sources: str, to: str, **given: object) -> dict[str, Inode | None]:
    step = Copy(1, "", sources, to, origin=Origin(0), **given)  # type: ignore[arg-type]
    return made(step, folder, stage())


def test_what_comes_from_a_stage_keeps_owner_mode_and_links(folder: Path) -> None:
    found = from_stage(folder, "/opt/venv", to="/opt/venv")
    assert found == {
        "opt": folder_inode(),
        "opt/venv": folder_inode(),
        "opt/venv/run": file("run", 0o4755, 7, 8),
        "opt/venv/here": link("run"),
    }
    assert from_stage(folder, "/opt", to="/o")["o/venv"] == folder_inode(0o750, 7, 8)


def test_a_stages_files_are_found_through_links_and_by_patterns(folder: Path) -> None:
    assert sorted(from_stage(folder, "/opt/current/run", to="/app/")) == ["app/run"]
    assert sorted(from_stage(folder, "opt/current", to="/app")) == ["app/here", "app/run"]
    assert sorted(from_stage(folder, "/opt/*.whl", to="/app/")) == ["app/a.whl", "app/b.whl"]
    assert sorted(from_stage(folder, "/", to="/")) == sorted(stage().nodes)
    with pytest.raises(NotFound, match="/opt/none is not in the stage"):
        from_stage(folder, "/opt/none", to="/app/")


def test_owner_and_mode_can_be_given_to_what_a_stage_has(folder: Path) -> None:
    found = from_stage(folder, "/opt/venv/run", to="/app/", owner="web:staff", mode=0o555)["app/run"]
    assert found == file("run", 0o555, 33, 50)


def test_a_heredoc_is_a_file(folder: Path) -> None:
    files = (NamedFile("a.conf", b"a\n"), NamedFile("b.conf", b""))
    assert made(Copy(1, "", (), "/app/", files=files), folder) == {"app/a.conf": file("a\n"), "app/b.conf": file("")}
    assert made(Copy(1, "", (), "/etc/x", files=files[:1]), folder) == {"etc": folder_inode(), "etc/x": file("a\n")}


def test_links_of_the_image_are_resolved_as_its_root_would() -> None:
    one = Filesystem({"a": link("b"), "b": link("../../c"), "loop": link("loop")})
    assert one.resolve("/a/x") == "c/x"
    assert one.resolve("/x/../y/./z/") == "y/z"
    with pytest.raises(InvalidInput, match="too many links"):
        one.resolve("/loop")
