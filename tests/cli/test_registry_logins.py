"""The registry logins of whoever calls a command: which files count, and which of them first."""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.cli.registry_logins import login_files, own_logins
from tidegate.kinds.reference import parse_repository

VARIABLES = ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG")


@pytest.mark.parametrize(
    ("environment", "files"),
    [
        ({}, ["/h/.config/containers/auth.json", "/h/.docker/config.json"]),
        ({"XDG_RUNTIME_DIR": "/run/1", "XDG_CONFIG_HOME": "/c", "DOCKER_CONFIG": "/d"},
         ["/run/1/containers/auth.json", "/c/containers/auth.json", "/d/config.json"]),
        ({"REGISTRY_AUTH_FILE": "/a.json", "DOCKER_CONFIG": "/d"}, ["/a.json"]),
    ],
)  # fmt: skip
def test_where_they_may_be(environment, files):
    assert login_files(environment, Path("/h")) == [Path(file) for file in files]


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write(path, **users):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"username": user, "password": "p"} for host, user in users.items()}}))


def user(image):
    login = own_logins().for_repository(parse_repository(image))
    return login and login.username


def test_without_a_file_nobody_is_logged_in(home):
    assert user("ghcr.io/me/web") is None


def test_podmans_file_comes_before_dockers(home):
    write(home / ".docker/config.json", **{"ghcr.io": "docker", "quay.io": "docker"})
    write(home / ".config/containers/auth.json", **{"ghcr.io": "podman"})
    assert [user("ghcr.io/me/web"), user("quay.io/me/web")] == ["podman", "docker"]


def test_a_file_that_is_none_is_named_without_what_is_in_it(home):
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"auths": {"ghcr.io": {"auth": "geheim"}}}')
    with pytest.raises(InvalidInput) as caught:
        own_logins()
    assert str(home / ".docker/config.json") in str(caught.value)
    assert "geheim" not in caught.value.explain()
