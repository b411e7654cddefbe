"""What the three forges say of open requests, in the shapes of their documentation."""

import pytest

from tidegate.base.errors import Unavailable
from tidegate.forge.api import Forge
from tidegate.forge.open_requests import OpenRequest, listing, read_page, refs_of

HEAD, BASE = "ab" * 20, "cd" * 20
GITHUB = Forge("github", "https://api.github.com", "acme/shop")
GITEA = Forge("gitea", "https://codeberg.org/api/v1", "acme/shop")
GITLAB = Forge("gitlab", "https://gitlab.com/api/v4", "acme/group/shop")
PULL = {
    "number": 7, "title": "Add a page", "html_url": "https://github.com/acme/shop/pull/7", "draft": True,
    "user": {"login": "octocat[bot]"},
    "head": {"ref": "topic/one", "sha": HEAD, "repo": {"full_name": "Acme/Shop"}},
    "base": {"ref": "main", "sha": BASE, "repo": {"full_name": "acme/shop"}},
}  # fmt: skip
MERGE = {
    "iid": 7, "title": "Add a page", "web_url": "https://gitlab.com/acme/group/shop/-/merge_requests/7", "draft": False,
    "author": {"username": "octocat"}, "source_branch": "topic", "target_branch": "main", "sha": HEAD,
    "source_project_id": 5, "target_project_id": 5,
}  # fmt: skip


@pytest.mark.parametrize("forge", [GITHUB, GITEA])
def test_a_pull_request_is_read(forge):
    assert read_page(forge, [PULL]) == [
        OpenRequest(
            7, "Add a page", "octocat[bot]", "topic/one", HEAD, "main", "Acme/Shop", PULL["html_url"], is_draft=True
        )
    ]


def test_a_merge_request_is_read():
    assert read_page(GITLAB, [MERGE]) == [
        OpenRequest(7, "Add a page", "octocat", "topic", HEAD, "main", "acme/group/shop", MERGE["web_url"])
    ]


@pytest.mark.parametrize("repo", [None, {"full_name": "stranger/shop"}])
def test_a_fork_is_known_also_where_it_is_gone(repo):
    (found,) = read_page(GITHUB, [{**PULL, "head": {**PULL["head"], "repo": repo}}])
    assert found.is_fork
    assert found.head_repository == (repo or {}).get("full_name", "")
    (found,) = read_page(GITLAB, [{**MERGE, "source_project_id": 6}])
    assert found.is_fork
    (found,) = read_page(GITLAB, [{**MERGE, "source_project_id": None, "target_project_id": None}])
    assert found.is_fork


@pytest.mark.parametrize(
    "changed",
    [
        {"number": "7"}, {"number": True}, {"number": 0}, {"head": None}, {"base": {"ref": "a..b"}}, {"base": {}},
        {"head": {"ref": "x", "sha": "--upload-pack=evil"}}, {"head": {"ref": "x" * 300, "sha": HEAD}},
    ],
)  # fmt: skip
def test_what_is_no_request_is_passed_over(changed):
    assert read_page(GITHUB, [{**PULL, **changed}]) == []


def test_a_strangers_words_are_cut_and_checked():
    words = {"title": "x\x1b[31m\n" * 200, "user": {"login": "a b"}, "html_url": "javascript:alert(1)"}
    (found,) = read_page(GITHUB, [{**PULL, **words}])
    assert len(found.title) == 200
    assert "\x1b" not in found.title
    assert "\n" not in found.title
    assert (found.user, found.url) == ("", "")


def test_what_is_no_list_is_told():
    with pytest.raises(Unavailable):
        read_page(GITHUB, {"message": "Not Found"})


def test_each_is_asked_for_what_changed_last_first():
    path = "/repos/acme/shop/pulls?state=open&sort="
    assert listing(GITHUB, 2).path == f"{path}updated&direction=desc&per_page=50&page=2"
    assert listing(GITEA, 1).path == f"{path}recentupdate&limit=50&page=1"
    assert listing(GITLAB, 1).path == (
        "/projects/acme%2Fgroup%2Fshop/merge_requests?state=opened&order_by=updated_at&sort=desc&per_page=50&page=1"
    )
    assert refs_of(GITHUB, 7) == refs_of(GITEA, 7) == ("refs/pull/7/merge", "refs/pull/7/head")
    assert refs_of(GITLAB, 7) == ("refs/merge-requests/7/merge", "refs/merge-requests/7/head")


def test_without_a_token_none_is_sent():
    for forge in (GITHUB, GITEA, GITLAB):
        assert "Authorization" not in forge.headers("")
        assert "Authorization" in forge.headers("x")
