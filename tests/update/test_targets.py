"""Where an automation's commits go, by `spec.git.push` and the source's reference."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.update.target import target_of


def target(push=None, ref=None, checkout=None):
    git = {"commit": {"author": {"email": "a@b"}}}
    git |= {"push": push} if push else {}
    git |= {"checkout": {"ref": checkout}} if checkout else {}
    metadata = {"name": "x", "namespace": "y"}
    automation = {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImageUpdateAutomation",
        "metadata": metadata,
        "spec": {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "s"}, "git": git},
    }
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": metadata,
        "spec": {"interval": "1m", "url": "https://example.com/r"} | ({"ref": ref} if ref else {}),
    }
    return target_of(ImageUpdateAutomation.from_object(automation), GitRepository.from_object(source))


@pytest.mark.parametrize(
    ("push", "branch", "push_ref", "shared", "described"),
    [
        (None, "main", None, True, "to branch 'main'"),
        ({"branch": "main"}, "main", None, True, "to branch 'main'"),
        ({"branch": "auto"}, "auto", None, False, "to branch 'auto'"),
        ({"refspec": "HEAD:refs/for/main"}, None, "refs/for/main", False, "using refspec 'HEAD:refs/for/main'"),
        ({"refspec": "auto"}, None, "refs/heads/auto", False, "using refspec 'auto'"),
        (
            {"branch": "main", "refspec": "main:refs/notes/x"},
            "main",
            "refs/notes/x",
            False,
            "to branch 'main' and using refspec 'main:refs/notes/x'",
        ),
    ],
)
def test_a_commit_goes_to_a_branch_a_ref_or_both(push, branch, push_ref, shared, described):
    found = target(push, ref={"branch": "main"})
    assert (found.push_branch, found.push_ref, found.is_shared) == (branch, push_ref, shared)
    assert found.described() == described


def test_the_checkouts_branch_counts_before_the_sources_and_flux_default():
    assert target(ref={"branch": "main"}, checkout={"branch": "next"}).ref == "refs/heads/next"
    assert target(ref={"tag": "v1"}, checkout={"branch": "next"}).ref == "refs/heads/next"
    assert target().ref == "refs/heads/master"


def test_options_are_given_as_git_takes_them():
    assert target({"options": {"ci.skip": "", "merge_request.create": "true"}}).options == (
        "ci.skip",
        "merge_request.create=true",
    )


def test_more_options_than_a_command_line_should_hold_are_refused():
    with pytest.raises(InvalidInput, match="longer than 16384 characters"):
        target({"options": {f"name{number}": "x" * 1000 for number in range(100)}})


@pytest.mark.parametrize("name", ["tag", "commit", "semver", "name"])
def test_only_a_branch_can_be_updated(name):
    with pytest.raises(InvalidInput, match=f"names a {name}") as caught:
        target(ref={"branch": "main", name: "1.0.0"})
    assert caught.value.code == "InvalidSourceConfiguration"


@pytest.mark.parametrize("refspec", ["HEAD:", "HEAD:refs/heads/../x", "a:b:c", "HEAD:refs/heads/x y", "HEAD:-x"])
def test_a_refspec_needs_a_destination_that_is_a_ref(refspec):
    with pytest.raises(InvalidInput, match=r"spec\.git\.push\.refspec"):
        target({"refspec": refspec})
