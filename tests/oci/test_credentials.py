"""Docker's config.json in the forms that people have it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.reference import parse_repository
from tidegate.oci.credentials import MOST_LOGINS, Credentials, Login

AUTH = base64.b64encode(b"user:pass:word").decode()
LOGIN = Login("user", "pass:word")


def credentials(**auths: Any) -> Credentials:
    return Credentials.from_docker_config(json.dumps({"auths": auths}).encode())


def found(key: str, image: str) -> Login | None:
    return credentials(**{key: {"auth": AUTH}}).for_repository(parse_repository(image))


@pytest.mark.parametrize(
    "key", ["ghcr.io", "https://ghcr.io", "http://ghcr.io/", "ghcr.io/v1/", "https://ghcr.io/v2/", " GHCR.io "]
)
def test_key_may_be_a_host_or_a_url(key: str) -> None:
    assert found(key, "ghcr.io/acme/web") == LOGIN
    assert found(key, "other.example/acme/web") is None
    assert found(key, "ghcr.io:5000/acme/web") is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"])
def test_every_name_of_docker_hub_is_the_same(key: str) -> None:
    assert found(key, "acme/web") == LOGIN


@pytest.mark.parametrize(
    ("key", "image", "fits"),
    [
        ("*.azurecr.io", "team.azurecr.io/web", True),
        ("*.azurecr.io", "a.b.azurecr.io/web", False),
        ("*.azurecr.io", "azurecr.io/web", False),
        ("*.azurecr.io:5000", "team.azurecr.io:5000/web", True),
        ("*.azurecr.io:5000", "team.azurecr.io/web", False),
        ("registry.example/team", "registry.example/team/web", True),
        ("registry.example/team", "registry.example/team", True),
        ("registry.example/team", "registry.example/teams/web", False),
        ("*", "registry.example/web", False),
        ("https://registry.example/v1/team", "registry.example/team/web", True),
        ("https://registry.example/v2/team/", "registry.example/team/web", True),
        ("registry.example/v1/team", "registry.example/web", False),
        ("registry.example/v10", "registry.example/web", False),
        ("https://registry.example:5000/v1/", "registry.example:5000/web", True),
        ("docker.io/acme", "acme/web", True),
        ("docker.io/acme", "other/web", False),
        ("https://index.docker.io/v1/", "nginx", True),
        ("registry.example/team/web/api", "registry.example/team/web", False),
    ],
)
def test_key_may_have_a_path_and_stars(key: str, image: str, *, fits: bool) -> None:
    assert (found(key, image) is not None) is fits


def test_longest_path_wins_then_the_exact_host() -> None:
    held = credentials(
        **{
            "registry.example": {"username": "host", "password": "1"},
            "*.example": {"username": "star", "password": "2"},
            "registry.example/team": {"username": "team", "password": "3"},
        }
    )

    def user(image: str) -> str:
        login = held.for_repository(parse_repository(image))
        return login.username if login else ""

    assert user("registry.example/team/web") == "team"
    assert user("registry.example/web") == "host"
    assert user("mirror.example/web") == "star"


@pytest.mark.parametrize("turned", [False, True])
def test_an_entry_that_holds_nothing_takes_no_login_away(*, turned: bool) -> None:
    entries = [("https://index.docker.io/v1/", {"auth": AUTH}), ("docker.io", {})]
    held = credentials(**dict(reversed(entries) if turned else entries))
    assert held.for_repository(parse_repository("acme/web")) == LOGIN


def test_the_longest_of_three_paths_wins_in_any_order() -> None:
    paths = ["registry.example/a", "registry.example/a/b/c", "registry.example/a/b"]
    for keys in (paths, paths[::-1]):
        held = credentials(**{key: {"username": key, "password": "x"} for key in keys})
        for image, key in (("a/b/c/d", 1), ("a/b/x", 2), ("a/x", 0)):
            login = held.for_repository(parse_repository(f"registry.example/{image}"))
            assert login is not None
            assert login.username == paths[key]
        assert held.for_repository(parse_repository("registry.example/x")) is None


def test_fields_instead_of_auth_and_tokens() -> None:
    held = credentials(
        **{
            "a.example": {"username": "u", "password": "p", "email": "x", "auth": ""},
            "b.example": {"identitytoken": "i"},
        }
    )
    assert held.for_repository(parse_repository("a.example/x/y")) == Login("u", "p")
    assert held.for_repository(parse_repository("b.example/x/y")) == Login(identity_token="i")


def test_more_logins_than_can_be_looked_at_for_each_request_are_refused() -> None:
    entries = {f"{number}.example": {"auth": AUTH} for number in range(MOST_LOGINS + 1)}
    with pytest.raises(InvalidInput, match=f"more than {MOST_LOGINS} entries"):
        credentials(**entries)
    entries.popitem()
    assert len(credentials(**entries).logins) == MOST_LOGINS


def test_the_end_of_a_line_is_no_part_of_a_token() -> None:
    held = credentials(**{"a.example": {"registrytoken": "ready\n"}})
    assert held.for_repository(parse_repository("a.example/x/y")) == Login(registry_token="ready")


def test_older_dockercfg_has_the_hosts_at_the_top() -> None:
    held = Credentials.from_docker_config(json.dumps({"ghcr.io": {"auth": AUTH}}).encode())
    assert held.for_repository(parse_repository("ghcr.io/acme/web")) == LOGIN


def test_config_without_auths_has_no_login() -> None:
    assert Credentials.from_docker_config(b'{"auths": {}}') == Credentials()
    assert Credentials.from_docker_config(b'{"credHelpers": {"x": "y"}}') == Credentials()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"not json",
        b'{"auths": []}',
        b'{"auths": {"ghcr.io": "x"}}',
        b'{"auths": {"ghcr.io": {"auth": "secret-not-base64!"}}}',
        b'{"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}',
        b'{"auths": {"ghcr.io": {"password": 7}}}',
        b'{"auths": {"ghcr.io": {"username": "secret", "password": "\\ud800"}}}',
        b'{"auths": {"ghcr.io": {"identitytoken": "secret\\ud800"}}}',
        b'{"auths": {"ghcr.io": {"registrytoken": "sec\\nret"}}}',
    ],
)
def test_broken_config_is_refused_without_showing_it(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        Credentials.from_docker_config(data)
    assert "secret" not in caught.value.explain()
    assert caught.value.where is not None


def test_login_without_user_and_password_is_no_basic() -> None:
    assert Login(identity_token="x").basic is None
    assert Login("u", "").basic == "Basic " + base64.b64encode(b"u:").decode()
