"""What a source leaves out of its artifact, by Flux's rules."""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import LimitExceeded
from tidegate.source.ignoring import Ignoring
from tidegate.source.patterns import PATTERN_LIMIT

BY_FLUX = Path(__file__).parent / "left_out_by_flux.jsonl"


@pytest.mark.parametrize("path", [
    "image.jpg", "a/b/c.tar.gz", "x.zip", ".github/workflows/ci.yaml", "apps/.github/x", ".gitlab-ci.yml",
    "a/.sops.yaml", ".goreleaser.yml", "deep/.flux.yaml", ".gitignore", "a/.gitattributes", ".gitmodules",
    ".circleci/config.yml", ".drone.yml", "cloudbuild.yaml", "codeship-services.yml", "a/codeship-steps.yml",
    "appveyor.yml", ".travis.yml",
])  # fmt: skip
def test_by_default_pictures_archives_and_ci_are_left_out(path):
    assert Ignoring({}).leaves_out(path)


@pytest.mark.parametrize(
    "path", ["deploy.yaml", "README.md", ".sourceignore", "x.tar", "github/a", ".github", "a.jpg.yaml"]
)
def test_by_default_the_rest_is_taken(path):
    assert not Ignoring({}).leaves_out(path)


@pytest.mark.parametrize(("files", "ignore"), [({}, "*.md"), ({"": "*.md"}, None), ({"docs": "*.md"}, None)])
def test_a_pattern_of_ones_own_takes_the_place_of_the_defaults_but_not_of_gits_files(files, ignore):
    """As Flux does it, in whichever folder the pattern is."""
    ignoring = Ignoring(files, ignore)
    assert ignoring.leaves_out("docs/x.md")
    assert not ignoring.leaves_out("a.jpg")
    assert not ignoring.leaves_out(".github/workflows/ci.yaml")
    assert ignoring.leaves_out("docs/.gitignore")


@pytest.mark.parametrize("text", ["", "\n", "# nothing but a comment\n", "  \n"])
def test_no_pattern_leaves_the_defaults(text):
    assert Ignoring({"": text}, text).leaves_out("a.jpg")


def test_the_example_of_fluxs_documentation():
    ignoring = Ignoring({}, "# exclude all\n/*\n# include deploy dir\n!/deploy\n/deploy/**/*.md\n/deploy/**/*.txt\n")
    paths = ("deploy/a.yaml", "deploy/a/b.yaml", "deploy/a.md", "deploy/x/a.txt", "src/a.yaml", "a.yaml")
    assert [path for path in paths if not ignoring.leaves_out(path)] == ["deploy/a.yaml", "deploy/a/b.yaml"]


@pytest.mark.parametrize(
    ("ignore", "path"), [("/*\n!/apps/web", "apps/web/a.yaml"), ("apps/\n!apps/web.yaml", "apps/web.yaml")]
)
def test_a_file_is_taken_in_again_below_a_folder_that_is_left_out(ignore, path):
    """Git does not do this; Flux does."""
    assert not Ignoring({}, ignore).leaves_out(path)


def test_a_deeper_file_counts_more_and_the_source_counts_most():
    files = {"": "*.txt", "a": "!*.txt", "a/b": "keep.txt"}
    ignoring = Ignoring(files)
    assert [ignoring.leaves_out(path) for path in ("x.txt", "a/x.txt", "a/b/keep.txt", "b/x.txt")] == [
        True,
        False,
        True,
        True,
    ]
    assert not Ignoring(files, "!keep.txt").leaves_out("a/b/keep.txt")


def test_a_file_is_for_its_own_folder_alone():
    ignoring = Ignoring({"a": "/x.yaml\nsub/"})
    assert ignoring.leaves_out("a/x.yaml")
    assert ignoring.leaves_out("a/b/sub/y")
    assert not ignoring.leaves_out("x.yaml")
    assert not ignoring.leaves_out("b/sub/y")


@pytest.mark.parametrize("row", BY_FLUX.read_text().splitlines())
def test_what_fluxs_own_library_answers(row):
    """Answers of github.com/fluxcd/pkg/sourceignore v0.22.0 to random patterns and paths."""
    case = json.loads(row)
    ignoring = Ignoring(case["files"], case["ignore"])
    assert [path for path in case["left_out"] if not ignoring.leaves_out(path)] == []
    assert [path for path in case["kept"] if ignoring.leaves_out(path)] == []


def test_a_pattern_may_not_be_endless():
    with pytest.raises(LimitExceeded, match=r"a/\.sourceignore:2: a pattern"):
        Ignoring({"a": "x\n" + "y" * (PATTERN_LIMIT + 1)})


def test_patterns_that_take_too_long_are_given_up():
    ignoring = Ignoring({}, "*" + "?" * 300 + "[ab]*c", limit=100_000)
    with pytest.raises(LimitExceeded, match="take too long"):
        any(ignoring.leaves_out(f"{number}" + "a" * 400) for number in range(100))


def test_many_stars_cost_no_more_than_a_few():
    """A matcher that goes back would never come to an end here."""
    assert not Ignoring({}, "*a" * 40 + "b").leaves_out("a" * 4000)
