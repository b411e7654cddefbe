"""The patterns and names are those of GitHub's filter pattern cheat sheet, then the corners that it leaves."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.workflow.globs import Glob, Names

CHEAT_SHEET = {
    "feature/*": ["feature/my-branch", "feature/your-branch"],
    "feature/**": ["feature/beta-a/my-branch", "feature/your-branch", "feature/mona/the/octocat"],
    "main": ["main"],
    "releases/mona-the-octocat": ["releases/mona-the-octocat"],
    "*": ["main", "releases", "README.md", "server.rb"],
    "**": ["all/the/branches", "every/tag", "all/the/files.md"],
    "*feature": ["mona-feature", "feature", "ver-10-feature"],
    "v2*": ["v2", "v2.0", "v2.9"],
    "v[12].[0-9]+.[0-9]+": ["v1.10.1", "v2.0.0"],
    "*.jsx?": ["page.js", "page.jsx"],
    "*.js": ["app.js", "index.js"],
    "**.js": ["index.js", "js/index.js", "src/js/app.js"],
    "docs/*": ["docs/README.md", "docs/file.txt"],
    "docs/**": ["docs/README.md", "docs/mona/octocat.txt"],
    "docs/**/*.md": ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"],
    "**/docs/**": ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"],
    "**/README.md": ["README.md", "js/README.md"],
    "**/*src/**": ["a/src/app.js", "my-src/code/js/app.js"],
    "**/*-post.md": ["my-post.md", "path/their-post.md"],
    "**/migrate-*.sql": ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"],
}
REFUSED_NAMES = {
    "feature/*": ["feature/a/b", "feature", "features/a"],
    "main": ["main2", "amain", "Main", "a/main"],
    "*": ["a/b"],
    "*feature": ["a/feature", "feature1"],
    "v2*": ["v1", "v2/x", "av2"],
    "v[12].[0-9]+.[0-9]+": ["v3.0.0", "v1..0", "v1.0", "v1x0x0"],
    "*.jsx?": ["page.jsxx", "a/page.js", "page.jsy"],
    "**.js": ["index.jsx"],
    "docs/*": ["docs/a/b.md", "docs"],
    "docs/**/*.md": ["docs/a.txt", "adocs/a.md", "docsa.md"],
    "**/docs/**": ["docs", "mydocs/a", "a/docs"],
    "**/README.md": ["MYREADME.md"],
    "**/migrate-*.sql": ["migrate-a/b.sql"],
}


@pytest.mark.parametrize(("pattern", "name"), [(p, n) for p, names in CHEAT_SHEET.items() for n in names])
def test_the_cheat_sheets_examples_match(pattern: str, name: str) -> None:
    assert Glob(pattern).matches(name)


@pytest.mark.parametrize(("pattern", "name"), [(p, n) for p, names in REFUSED_NAMES.items() for n in names])
def test_other_names_do_not_match(pattern: str, name: str) -> None:
    assert not Glob(pattern).matches(name)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"\!x", "!x", True),
        (r"a\?", "a?", True),
        (r"a\?", "a", False),
        ("a!b", "a!b", True),
        ("ab+c", "abbbc", True),
        ("ab+c", "ac", False),
        ("ab?c", "ac", True),
        ("ab?c", "abbc", False),
        ("[ab]+c", "abbac", True),
        ("[a-c0-2]", "1", True),
        ("[a-c0-2]", "d", False),
        ("[a-]", "-", True),
        ("a**/b", "ax/y/b", True),
        ("a**/b", "a/b", True),
        ("a**/b", "ab", False),
        ("**/**/x", "x", True),
        ("***", "a/b", True),
        ("a.b", "axb", False),
        ("(a|b)", "(a|b)", True),
        ("$^{}", "$^{}", True),
        ("ü*", "über", True),
    ],
)
def test_special_characters(pattern: str, name: str, matches: bool) -> None:
    assert Glob(pattern).matches(name) is matches


@pytest.mark.parametrize(
    "pattern", ["", "+a", "?", "*?", "**+", "a??", "a+?", "[", "[]", "[!a]", "[z-a]", "[a-9]", "a\\"]
)
def test_what_github_does_not_define_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput):
        Glob(pattern)


def test_no_pattern_and_no_name_take_more_than_linear_time() -> None:
    start = time.process_time()
    for pattern in ("**a" * 300 + "b", "*a?" * 300 + "b", "[ab]*a" + "[ab]" * 60 + "**c"):
        assert not Glob(pattern).matches("ab" * 2000 + "a")
    assert time.process_time() - start < 5


@given(st.text("ab./*", min_size=1, max_size=8), st.text("ab./", max_size=8))
def test_stars_alone_agree_with_a_simple_matcher(pattern: str, name: str) -> None:
    """A folder-skipping `**/` aside, `**` is what fnmatch calls `*`; `*` is that without a slash."""
    if "**/" in pattern:
        return
    assert Glob(pattern).matches(name) == _simple(pattern, name)


def _simple(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern.startswith("**"):
        return any(_simple(pattern[2:], name[place:]) for place in range(len(name) + 1))
    if pattern.startswith("*"):
        reach = name.split("/", 1)[0]
        return any(_simple(pattern[1:], name[place:]) for place in range(len(reach) + 1))
    return bool(name) and name[0] == pattern[0] and _simple(pattern[1:], name[1:])


@given(
    st.lists(st.text("ab/.", min_size=1, max_size=6), max_size=12),
    st.lists(st.sampled_from(["a", "**", "*", "**/", "/", "b", "ab", ".", "a?", "b+", "[ab]"]), min_size=1, max_size=5),
)
def test_many_names_at_once_give_the_same_answer(names: list[str], parts: list[str]) -> None:
    glob = Glob("".join(parts))
    assert Names(names).matching(glob) == {place for place, name in enumerate(names) if glob.matches(name)}


def test_a_name_that_holds_the_last_unicode_character_is_found() -> None:
    assert Names(["a/\U0010ffffx", "a/y", "b"]).matching(Glob("a/**")) == {0, 1}


def test_fnmatch_is_not_what_we_use() -> None:
    """`?` means something else there."""
    assert fnmatch.fnmatch("ab", "a?")
    assert not Glob("a?").matches("ab")
