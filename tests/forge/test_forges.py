"""Which API a remote has, and what it is asked."""

import pytest

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.forge.api import BODY_LIMIT, TITLE_LIMIT, Forge, Proposal, PullRequest, forge_of

PROPOSAL = Proposal("auto", "main", "Title", "Body")


@pytest.mark.parametrize(
    ("url", "named", "kind", "api", "repository"),
    [
        ("https://github.com/me/repo.git", None, "github", "https://api.github.com", "me/repo"),
        ("ssh://git@github.com/me/repo", None, "github", "https://api.github.com", "me/repo"),
        ("ssh://git@ssh.github.com:443/me/repo.git", None, "github", "https://api.github.com", "me/repo"),
        ("https://github.example.com/me/repo", None, "github", "https://github.example.com/api/v3", "me/repo"),
        ("https://git.example.com/me/repo", "github", "github", "https://git.example.com/api/v3", "me/repo"),
        ("https://codeberg.org/me/repo", None, "gitea", "https://codeberg.org/api/v1", "me/repo"),
        ("https://forgejo.test:3000/me/repo.git", None, "gitea", "https://forgejo.test:3000/api/v1", "me/repo"),
        ("https://example.com/git/me/repo", "gitea", "gitea", "https://example.com/git/api/v1", "me/repo"),
        ("ssh://git@example.com:2222/me/repo", "forgejo", "gitea", "https://example.com/api/v1", "me/repo"),
        ("https://gitlab.com/a/b/c/repo.git", None, "gitlab", "https://gitlab.com/api/v4", "a/b/c/repo"),
        ("http://localhost:8080/a/repo", "gitlab", "gitlab", "http://localhost:8080/api/v4", "a/repo"),
        ("https://GitHub.com/me/repo", None, "github", "https://api.github.com", "me/repo"),
    ],
)  # fmt: skip
def test_the_api_is_told_by_the_host_or_the_annotation(url, named, kind, api, repository):
    assert forge_of(url, named) == Forge(kind, api, repository)


@pytest.mark.parametrize(
    ("url", "named", "says"),
    [
        ("https://git.example.com/me/repo", None, "nothing says which API 'git.example.com' has"),
        ("https://evilgithub.com/me/repo", None, "nothing says"),
        ("https://github.com.evil.example/me/repo", None, ""),
        ("file:///srv/repo.git", "gitea", "nothing says"),
        ("http://git.example.com/me/repo", "gitea", "in the clear"),
        ("https://github.com/repo", None, "names no repository"),
        ("https://github.com/a/b/c", None, "names no repository"),
    ],
)
def test_where_nothing_tells_or_the_token_would_be_seen_it_is_refused(url, named, says):
    if not says:  # its own API is asked, with the token that its own source has
        assert forge_of(url, named).api == "https://github.com.evil.example/api/v3"
        return
    with pytest.raises(InvalidInput, match=says):
        forge_of(url, named)


def test_each_is_asked_in_its_own_words():
    github, gitlab = (
        Forge("github", "https://api.github.com", "me/repo"),
        Forge("gitlab", "https://g/api/v4", "a/b/repo"),
    )
    gitea = Forge("gitea", "https://c/api/v1", "me/repo")
    assert github.listing(PROPOSAL, 1).path == (
        "/repos/me/repo/pulls?state=open&page=1&head=me%3Aauto&base=main&per_page=50"
    )
    assert gitea.listing(PROPOSAL, 2).path == "/repos/me/repo/pulls?state=open&page=2&limit=50"
    assert gitlab.listing(PROPOSAL, 1).path.startswith("/projects/a%2Fb%2Frepo/merge_requests?state=opened")
    words = {"title": "Title", "body": "Body"}
    assert gitea.creating(PROPOSAL).body == github.creating(PROPOSAL).body == {"head": "auto", "base": "main", **words}
    assert gitlab.creating(PROPOSAL).body == {
        "source_branch": "auto", "target_branch": "main", "title": "Title", "description": "Body",
    }  # fmt: skip
    assert (github.updating(7, PROPOSAL).method, gitlab.updating(7, PROPOSAL).method) == ("PATCH", "PUT")
    assert gitlab.updating(7, PROPOSAL).path == "/projects/a%2Fb%2Frepo/merge_requests/7"
    assert gitea.headers("t")["Authorization"] == "token t"
    assert github.headers("t")["Authorization"] == gitlab.headers("t")["Authorization"] == "Bearer t"


def test_a_message_becomes_a_title_and_a_body_that_a_forge_takes():
    assert Proposal.of("a", "b", "One\n\nTwo\nThree\n") == Proposal("a", "b", "One", "Two\nThree")
    assert Proposal.of("a", "main", "\n").title == "Update main"
    long = Proposal.of("a", "b", f"{'x' * 500}\n\n{'y' * 100_000}")
    assert (len(long.title), len(long.body)) == (TITLE_LIMIT, BODY_LIMIT)


def test_line_ends_of_a_browser_are_no_other_words():
    assert PullRequest(1, "u", "Title", "a\r\nb\r\n").says(Proposal("auto", "main", "Title", "a\nb"))
    assert not PullRequest(1, "u", "Other", "a").says(Proposal("auto", "main", "Title", "a"))


@pytest.mark.parametrize("answer", [{}, "text", None, {"message": "x"}])
def test_an_answer_of_another_shape_is_an_error(answer):
    forge = Forge("github", "https://api.github.com", "me/repo")
    with pytest.raises(Unavailable):
        forge.find(answer, PROPOSAL)
    with pytest.raises(Unavailable):
        forge.read(answer)


def test_a_token_that_would_start_another_header_is_refused():
    with pytest.raises(InvalidInput) as told:
        Forge("github", "https://api.github.com", "me/repo").headers("a\r\nX: b")
    assert "a\r\n" not in str(told.value)
