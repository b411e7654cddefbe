"""Names from data are checked before git sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.git import names


@pytest.mark.parametrize(
    "ref", ["refs/heads/main", "refs/heads/feature/a-b_c.d", "refs/tags/v1.0.0", "refs/heads/übung"]
)
def test_full_refs_are_accepted(ref: str) -> None:
    assert names.check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "main", "HEAD", "refs/heads", "refs/heads/", "refs/heads/../x", "refs/heads/a..b", "refs/heads/a b",
        "refs/heads/a\nb", "refs/heads/-x", "refs/heads/.x", "refs/heads/x.lock", "refs/heads/x/", "refs/heads//x",
        "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*", "refs/heads/a[",
        "refs/heads/a\\b", "refs/heads/a@{1}", "refs/heads/x.", "refs/heads/\x7f", "--upload-pack=x", "",
    ],
)  # fmt: skip
def test_other_names_are_refused(ref: str) -> None:
    with pytest.raises(InvalidInput):
        names.check_ref(ref)


@pytest.mark.parametrize("branch", ["", "HEAD", "-f", "a b", "a..b", "../x", "refs/heads/main"])
def test_names_of_branches_are_checked(branch: str) -> None:
    with pytest.raises(InvalidInput):
        names.branch_ref(branch)


def test_a_revision_is_head_an_id_a_ref_or_a_branch() -> None:
    assert names.revision("HEAD") == "HEAD"
    assert names.revision("a" * 40) == "a" * 40
    assert names.revision("refs/tags/v1") == "refs/tags/v1"
    assert names.revision("main") == "refs/heads/main"
    with pytest.raises(InvalidInput):
        names.revision("main@{yesterday}")


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a//b", "a/", "./a", "a/../b", "..", ".git/config", "a/.GIT/hooks/x", "a\0b", ".git ./x", "git~1/x"],
)
def test_paths_that_leave_the_tree_or_enter_a_git_folder_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        names.check_path(path)


@given(st.text(min_size=1, max_size=30))
def test_an_accepted_path_has_no_special_part(path: str) -> None:
    try:
        names.check_path(path)
    except InvalidInput:
        return
    assert not {"", ".", "..", ".git"} & set(path.split("/"))
    assert "\0" not in path
