"""Where COPY puts things, and that a layer's key is what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.build.context import Context
from tidegate.build.copying import Placed, Snapshot, entries, layer_key, place, refuse_archives
from tidegate.build.plan import Copy
from tidegate.build.tree import Tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    for path in ("main.py", "other.py", "src/a.py", "src/deep/b.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def tree() -> Tree:
    return Tree({"usr", "usr/bin", "app"}, {"bin": "usr/bin", "srv": "/app"}, {"web": (33, 34)}, {"staff": 50})


def put(folder: Path, *sources: str, to: str, owner: str = "", mode: int | None = None) -> dict[str, Placed]:
    step = Copy(1, "", sources, to, owner, mode)
    return {one.path: one for one in place(step, Context(folder), tree())}


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
    assert tree().owner(owner) == ids


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
    placed = put(folder, "src", to="/app/")["app/link"]
    assert placed.node is not None
    assert placed.node.target == "/etc/passwd"


def key(folder: Path, scratch: Path, **changed: object) -> str:
    context = Context(folder)
    step = Copy(1, "text", ("src",), "/app/", **changed)  # type: ignore[arg-type]
    return layer_key(place(step, context, tree()), Snapshot(context, scratch), 0)


def test_the_key_changes_with_content_mode_owner_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    before = key(folder, tmp_path)
    (folder / "src/a.py").touch()
    (folder / "src/a.py").chmod(0o664)
    (folder / "main.py").write_text("not copied")
    assert key(folder, tmp_path) == before
    assert key(folder, tmp_path, owner="5") != before
    (folder / "src/a.py").write_text("other")
    assert key(folder, tmp_path) != before


def test_small_and_large_files_come_out_as_they_are(folder: Path, tmp_path: Path) -> None:
    (folder / "large").write_bytes(b"x" * 600_000)
    context = Context(folder)
    snapshot = Snapshot(context, tmp_path)
    placed = place(Copy(1, "", ("large", "main.py"), "/app/"), context, tree())
    contents = {entry.path: entry.content for entry in entries(placed, snapshot)}
    assert contents["app/main.py"] == b"main.py"
    large = contents["app/large"]
    assert isinstance(large, Path)
    assert large.read_bytes() == b"x" * 600_000


def test_a_file_that_changes_meanwhile_is_noticed(folder: Path, tmp_path: Path) -> None:
    context = Context(folder)
    snapshot = Snapshot(context, tmp_path)
    placed = place(Copy(1, "", ("main.py",), "/app/"), context, tree())
    layer_key(placed, snapshot, 0)
    (folder / "main.py").write_text("changed")
    with pytest.raises(InvalidInput, match="was changed while it was built"):
        list(entries(placed, snapshot))


@pytest.mark.parametrize("head", [b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", bytes(257) + b"ustar"])
def test_add_of_an_archive_is_refused(folder: Path, head: bytes) -> None:
    (folder / "archive").write_bytes(head + bytes(300))
    context = Context(folder)
    for adds in (True, False):
        step = Copy(1, "", ("archive",), "/app/", adds=adds)
        placed = place(step, context, tree())
        if adds:
            with pytest.raises(InvalidInput, match="ADD of the archive"):
                refuse_archives(step, placed, context)
        else:
            refuse_archives(step, placed, context)


def test_links_of_the_image_are_resolved_as_its_root_would() -> None:
    one = Tree(links={"a": "b", "b": "../../c", "loop": "loop"})
    assert one.resolve("/a/x") == "c/x"
    assert one.resolve("/x/../y/./z/") == "y/z"
    with pytest.raises(InvalidInput, match="too many links"):
        one.resolve("/loop")
