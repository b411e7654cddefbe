"""The patterns of hashFiles, beside what GitHub's documentation and @actions/glob's say."""

from __future__ import annotations

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.workflow.file_patterns import file_patterns, is_meant

ROOT = "/home/runner/work/shop/shop"
FILES = [
    "Gemfile.lock",
    "README.md",
    "a*b/x",
    "a/.hidden/x",
    "a/b/c/package-lock.json",
    "a/package-lock.json",
    "package-lock.json",
    "src/main.py",
    "src/test/main.py",
]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # "Matches any package-lock.json file in the repository."
        (["**/package-lock.json"], ["a/b/c/package-lock.json", "a/package-lock.json", "package-lock.json"]),
        (["**/package-lock.json", "**/Gemfile.lock"],
         ["Gemfile.lock", "a/b/c/package-lock.json", "a/package-lock.json", "package-lock.json"]),
        (["*.lock"], ["Gemfile.lock"]),
        (["./package-lock.json"], ["package-lock.json"]),
        ([f"{ROOT}/*/package-lock.json"], ["a/package-lock.json"]),
        # A pattern that fits a folder means all that is in it.
        (["src"], ["src/main.py", "src/test/main.py"]),
        (["src/"], ["src/main.py", "src/test/main.py"]),
        (["s*"], ["src/main.py", "src/test/main.py"]),
        (["src/**"], ["src/main.py", "src/test/main.py"]),
        (["src/*.py"], ["src/main.py"]),
        (["src/*", "!src/test"], ["src/main.py"]),
        (["!src/test", "src/*"], ["src/main.py", "src/test/main.py"]),
        (["**\n!**/package-lock.json\n!a/**\n# a comment\n\n!README.md"],
         ["Gemfile.lock", "a*b/x", "src/main.py", "src/test/main.py"]),
        (["!!README.md"], ["README.md"]),
        (["a/**/x"], ["a/.hidden/x"]),
        ([r"a\*b/x"], ["a*b/x"]),
        (["a?b/x"], ["a*b/x"]),
        (["[rR]EADME.md"], ["README.md"]),
        (["[^R]*.lock"], ["Gemfile.lock"]),
        (["."], FILES),
        (["**"], FILES),
        (["../other/**", "/etc/passwd", "~/x"], []),
        (["nothing"], []),
    ],
)  # fmt: skip
def test_which_files_are_meant(lines: list[str], expected: list[str]) -> None:
    patterns = file_patterns(lines, ROOT)
    assert [file for file in FILES if is_meant(file.split("/"), patterns)] == expected
    for file in expected:  # and every folder on the way is looked into
        way = file.split("/")
        assert all(any(one.may_hold(way[:end]) for one in patterns if not one.negated) for end in range(len(way)))


def test_a_folder_in_which_nothing_can_match_is_not_looked_into() -> None:
    (pattern,) = file_patterns(["src/*.py"], ROOT)
    ways = ([], ["src"], ["node_modules"], ["src", "test"])
    assert [pattern.may_hold(way) for way in ways] == [True, True, False, False]


def test_an_option_is_refused() -> None:
    with pytest.raises(InvalidInput, match="--follow-symbolic-links"):
        file_patterns(["--follow-symbolic-links", "**"], ROOT)


def test_many_stars_take_no_time() -> None:
    (pattern,) = file_patterns(["/".join(["**"] * 50 + ["*a" * 50 + "b"])], ROOT)
    assert not pattern.matches(["a" * 200] * 50 + ["b"])
