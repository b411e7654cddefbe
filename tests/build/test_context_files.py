"""The build context: what .dockerignore leaves, and that no link leads out of the folder."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2b_dockerfile_utils import PatternMatcher

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.build import context as module
from tidegate.build.context import Context, Kind, contained, read_ignore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    for path in ("main.py", "run.sh", "src/a.py", "src/b.txt", "src/deep/c.py", ".git/config", "node_modules/x/y.js"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    (root / "run.sh").chmod(0o755)
    return root


def listed(folder: Path, *patterns: str) -> set[str]:
    context = Context(folder, PatternMatcher(list(patterns)))
    return {path for path, node in context.nodes.items() if node.kind is not Kind.DIRECTORY}


def test_everything_is_listed_with_its_kind(folder: Path) -> None:
    nodes = Context(folder).nodes
    assert nodes["src"].kind is Kind.DIRECTORY
    assert nodes["run.sh"].executable
    assert not nodes["main.py"].executable
    assert nodes["src/a.py"].size == len("src/a.py")


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ([".git", "node_modules"], {"main.py", "run.sh", "src/a.py", "src/b.txt", "src/deep/c.py"}),
        (["*", "!main.py"], {"main.py"}),
        (["*", "!src/deep"], {"src/deep/c.py"}),
        (["**/*.py", ".git", "node_modules", "run.sh"], {"src/b.txt"}),
        (["# comment", "", "/src", ".git", "node_modules"], {"main.py", "run.sh"}),
    ],
)
def test_dockerignore_has_dockers_meaning(folder: Path, patterns: list[str], left: set[str]) -> None:
    assert listed(folder, *patterns) == left


def test_the_ignore_file_beside_the_dockerfile_wins(folder: Path) -> None:
    (folder / ".dockerignore").write_text("src\n")
    (folder / "web.Dockerfile.dockerignore").write_text("main.py\n")
    beside = read_ignore(folder, folder / "web.Dockerfile")
    common = read_ignore(folder, folder / "Dockerfile")
    assert beside is not None
    assert common is not None
    assert (beside.matches("main.py"), beside.matches("src")) == (True, False)
    assert (common.matches("main.py"), common.matches("src")) == (False, True)


def test_a_bad_ignore_pattern_is_named(folder: Path) -> None:
    (folder / ".dockerignore").write_text("[a\n")
    with pytest.raises(InvalidInput, match=r"\.dockerignore: .*\[a"):
        read_ignore(folder, folder / "Dockerfile")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("main.py", ["main.py"]),
        ("/main.py", ["main.py"]),
        ("src/", ["src"]),
        (".", [""]),
        ("*.py", ["main.py"]),
        ("src/*.py", ["src/a.py"]),
        ("s??/[ab].*", ["src/a.py", "src/b.txt"]),
        ("src/[^a].txt", ["src/b.txt"]),
        ("*/deep", ["src/deep"]),
    ],
)
def test_sources_and_patterns_are_found(folder: Path, source: str, found: list[str]) -> None:
    assert [node.path for node in Context(folder).find(source)] == found


@pytest.mark.parametrize("source", ["none", "*.none", "src/none", "main.py/x"])
def test_a_source_that_is_not_there_is_named(folder: Path, source: str) -> None:
    with pytest.raises(NotFound, match="is not in the context"):
        Context(folder).find(source)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "../../etc/passwd", "loop"])
def test_a_link_never_leads_out_of_the_context(folder: Path, target: str) -> None:
    (folder.parent / "outside").write_text("secret")
    (folder / "loop").symlink_to(target)
    with pytest.raises((NotFound, InvalidInput)):
        Context(folder).find("loop")


def test_a_link_inside_is_followed_where_it_is_the_source(folder: Path) -> None:
    (folder / "link").symlink_to("src/a.py")
    (folder / "absolute").symlink_to("/src")
    assert [node.path for node in Context(folder).find("link")] == ["src/a.py"]
    assert [node.path for node in Context(folder).find("absolute/a.py")] == ["src/a.py"]


def test_a_directory_swapped_for_a_link_after_listing_is_not_read(folder: Path) -> None:
    context = Context(folder)
    node = context.nodes["src/a.py"]
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("secret")
    (folder / "src").rename(folder.parent / "old")
    (folder / "src").symlink_to(outside)
    with pytest.raises(InvalidInput, match=r"src/a\.py can't be read"):
        context.digest(node)


def test_a_file_swapped_for_a_pipe_does_not_hang(folder: Path) -> None:
    context = Context(folder)
    node = context.nodes["main.py"]
    (folder / "main.py").unlink()
    os.mkfifo(folder / "main.py")
    with pytest.raises(InvalidInput, match="no longer a file"):
        context.digest(node)


def test_pipes_and_sockets_are_left_out(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "pipe" not in Context(folder).nodes


def test_too_many_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRY_LIMIT", 5)
    with pytest.raises(LimitExceeded) as raised:
        _ = Context(folder).nodes
    assert ".dockerignore" in (raised.value.remedy or "")


def test_contained_refuses_what_lies_outside_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root/link").symlink_to("../secret")
    with pytest.raises(InvalidInput, match="leads out of"):
        contained(tmp_path / "root/link", tmp_path / "root")
    with pytest.raises(NotFound):
        contained(tmp_path / "root/none", tmp_path / "root")


def test_several_threads_see_the_whole_context(folder: Path) -> None:
    for number in range(300):
        (folder / f"src/f{number}").write_text("x")
    expected = len(Context(folder).nodes)
    for _ in range(5):
        context = Context(folder)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _, one=context: len(one.nodes), range(4))) == [expected] * 4


@pytest.mark.parametrize("pattern", ["*a" * 40, "**/" * 30 + "x"])
def test_a_pattern_that_would_take_for_ever_is_refused(folder: Path, pattern: str) -> None:
    with pytest.raises(LimitExceeded, match="wildcards"):
        Context(folder).find(pattern)
    (folder / ".dockerignore").write_text(f"# {pattern}\n{pattern}\n")
    with pytest.raises(LimitExceeded, match="wildcards"):
        read_ignore(folder, folder / "Dockerfile")


def test_a_bottomless_context_is_refused(folder: Path) -> None:
    (folder / Path(*["d"] * 210)).mkdir(parents=True)
    with pytest.raises(LimitExceeded, match="200 deep"):
        _ = Context(folder).nodes
