"""Tokens at the doors: who they stand for, how long, and what they reach."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput
from tidegate.serve.auth import Authorizer, Credential, token_of


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "header", [basic("anyone", "home-token"), "Bearer home-token", "bearer  home-token ", "token home-token"]
)
def test_home_token_is_admin_with_any_user(header: str) -> None:
    credential = Authorizer("home-token").identify(header)
    assert credential == Credential("home", frozenset({"admin"}))
    assert credential.may("packages:acme:write")


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic", "Basic !!!", "Basic aG9tZQ==", basic("home-token", ""), "Digest x=1",
     "Bearer home-token2", basic("u", "other"), "home-token", "Basic " + base64.b64encode(b"\xff:\xfe").decode()],
)  # fmt: skip
def test_anything_else_is_nobody(header: str | None) -> None:
    assert Authorizer("home-token").identify(header) is None


@given(st.text(max_size=200))
def test_no_header_breaks_it(header: str) -> None:
    assert Authorizer("a-home-token-that-nothing-guesses").identify(header) is None


def test_run_token_reaches_its_scopes_until_it_expires() -> None:
    time = Time()
    authorizer = Authorizer("home-token", time)
    token = authorizer.issue("run smartbiz-1", {"repo:seadavdic/smartbiz:read", "packages:seadavdic:write"}, 600)
    credential = authorizer.identify(basic("github-actions", token))
    assert credential is not None
    assert credential.subject == "run smartbiz-1"
    assert credential.may("packages:seadavdic:write")
    assert credential.may("repo:seadavdic/smartbiz:read")
    assert not credential.may("repo:seadavdic/smartbiz:write")
    assert not credential.may("packages:somebody:write")
    assert not credential.may("admin")
    time.now = 600
    assert authorizer.identify(f"Bearer {token}") is None


def test_revoked_token_is_nobodys_and_revoking_twice_is_fine() -> None:
    authorizer = Authorizer("home-token")
    token = authorizer.issue("run", {"admin"}, 600)
    authorizer.revoke(token)
    authorizer.revoke(token)
    assert authorizer.identify(f"Bearer {token}") is None


def test_expired_tokens_are_forgotten() -> None:
    time = Time()
    authorizer = Authorizer("home-token", time)
    for _ in range(5):
        authorizer.issue("run", set(), 1)
    time.now = 2
    authorizer.issue("run", set(), 1)
    assert len(authorizer._issued) == 1


def test_tokens_themselves_are_not_kept() -> None:
    authorizer = Authorizer("home-token")
    token = authorizer.issue("run", set(), 1)
    assert token not in str(vars(authorizer))
    assert "home-token" not in str(vars(authorizer))


def test_writing_includes_reading_and_letter_case_of_owners_does_not_matter() -> None:
    credential = Credential("run", frozenset({"repo:SeaDavdic/SmartBiz:write", "packages:SeaDavdic:write"}))
    assert credential.may("repo:seadavdic/smartbiz:read")
    assert credential.may("packages:seadavdic:write")
    assert not Credential("run", frozenset({"repo:a/b:read"})).may("repo:a/b:write")


def test_home_without_a_token_is_refused() -> None:
    with pytest.raises(InvalidInput):
        Authorizer("")


def test_token_of_basic_is_the_password() -> None:
    assert token_of(basic("user", "pass:word")) == "pass:word"
