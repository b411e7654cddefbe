"""A cluster's tags, listed by the command: with whose logins, and what is left out."""

import json

import pytest

from tidegate.base.errors import Denied
from tidegate.cli.tags_now import TagsNow
from tidegate.engine.ports import TagsLost
from tidegate.kinds.reference import parse_repository

IMAGE = "ghcr.io/me/web"
REPOSITORY = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImageRepository",
    "metadata": {"name": "web", "namespace": "flux-system"},
    "spec": {"image": IMAGE, "interval": "1m", "secretRef": {"name": "login"}},
}


class Registry:
    """Answers with three tags, and notes with whose login and how often it was asked."""

    def __init__(self):
        self.users = []

    def using(self, access):
        self.access = access
        return self

    async def tags(self, repository):
        login = self.access.credentials.for_repository(repository)
        self.users.append(login and login.username)
        return ["1.0.0", "1.0.0.sig", "1.0.1"]


class Locked:
    """A store of which no Secret may be read."""

    async def get(self, key):
        raise Denied(f"{key.kind} {key.name} is forbidden")


@pytest.fixture
def said():
    return []


@pytest.fixture
def logged_in(tmp_path, monkeypatch):
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {"ghcr.io": {"username": "me", "password": "p"}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))


async def test_where_the_secret_may_not_be_read_ones_own_login_is_used(logged_in, said):
    registry = Registry()
    now = TagsNow(Locked(), registry, said.append)
    await now.load(REPOSITORY)
    assert registry.users == ["me"]
    assert said == ["asking the registry with your own logins, since: Secret login is forbidden"]


async def test_what_the_exclusion_list_leaves_is_what_a_scan_would_keep(said):
    registry = Registry()
    spec = {"image": IMAGE, "interval": "1m"}
    now = TagsNow(Locked(), registry, said.append)
    await now.load({**REPOSITORY, "spec": spec})
    assert await now.get(IMAGE) == ["1.0.0", "1.0.1"]
    assert await now.using(None).tags(parse_repository(IMAGE)) == ["1.0.0", "1.0.0.sig", "1.0.1"]
    assert registry.users == [None]
    assert said == []
    with pytest.raises(TagsLost):
        await now.get("ghcr.io/me/other")
