"""Which repository a deploy key is for, and where people paste it."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.git.deploy_key import KeyPair, SshPlace


@pytest.mark.parametrize(
    ("text", "url", "host", "port", "path"),
    [
        ("ssh://git@github.com/me/repo", "ssh://git@github.com/me/repo", "github.com", 22, "me/repo"),
        ("ssh://git@git.example.com:2222/a/b/repo.git", "ssh://git@git.example.com:2222/a/b/repo.git",
         "git.example.com", 2222, "a/b/repo"),
        ("git@github.com:me/repo.git", "ssh://git@github.com/me/repo.git", "github.com", 22, "me/repo"),
        ("github.com:me/repo", "ssh://git@github.com/me/repo", "github.com", 22, "me/repo"),
    ],
)  # fmt: skip
def test_a_repository_is_named_by_url_or_in_gits_short_form(text, url, host, port, path):
    assert SshPlace.parse(text) == SshPlace(url, host, port, path)


@pytest.mark.parametrize(
    "text",
    ["https://github.com/me/repo", "me/repo", "", "ssh://-oProxyCommand=x/y", "git@-oProxyCommand=x:y",
     "ssh://git:secret@host/x", "git@host name:x", "file:///srv/x"],
)  # fmt: skip
def test_what_no_key_opens_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        SshPlace.parse(text)
    assert "secret" not in str(caught.value)


def test_the_page_for_the_key_is_named_where_the_forge_is_known():
    address, advice = SshPlace.parse("git@github.com:me/repo.git").page()
    assert (address, advice) == ("https://github.com/me/repo/settings/keys/new", 'tick "Allow write access"')
    address, advice = SshPlace.parse("ssh://git@git.example.com/me/repo").page()
    assert (address, advice) == ("the deploy keys of https://git.example.com/me/repo", "allow it to write")


def test_the_private_half_is_not_shown():
    assert "PRIVATE" not in repr(KeyPair(b"PRIVATE", "ssh-ed25519 AAAA"))
