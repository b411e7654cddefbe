"""A Runner of a source with `spec.verify` sees only what was verified, whatever the mirror holds to be looked at."""

import pytest

from tidegate.git.mirror import Mirrors
from tidegate.git.repository import Repository
from tidegate.git.values import Signature
from tidegate.kinds.runner import Runner
from tidegate.runner.repositories import mirrored

URL = "https://github.com/acme/shop"
AUTHOR = Signature("a", "a@example.com")
RUNNER = Runner.from_object(
    {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Runner",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "spec": {"repository": "acme/shop", "sourceRef": {"name": "shop"}},
    }
)


class Store:
    """Has one source."""

    def __init__(self, revision, ref):
        self._source = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "shop", "namespace": "flux-system"},
            "spec": {"url": URL, "interval": "1m", "ref": ref, "verify": {"secretRef": {"name": "keys"}}},
            "status": {"artifact": {"revision": revision}},
        }

    async def get(self, key):
        return self._source


@pytest.fixture
async def mirror(tmp_path):
    repository = Repository(Mirrors(tmp_path).path(URL))
    await repository.init()
    first = await repository.write_commit(None, {"a": b"1"}, author=AUTHOR, message="signed", time=1)
    second = await repository.write_commit(first, {"a": b"2"}, author=AUTHOR, message="not signed", time=2)
    for ref in ("refs/heads/main", "refs/heads/other", "refs/tags/v1"):
        await repository.update_ref(ref, second, None)
    return Mirrors(tmp_path), first


async def never(_source):
    raise AssertionError("it is here")


@pytest.mark.parametrize(
    ("ref", "revision", "shown"),
    [
        ({"branch": "main"}, "main@sha1:{}", "refs/heads/main"),
        ({"tag": "v1", "branch": "main"}, "v1@sha1:{}", "refs/tags/v1"),
        ({"semver": "1.x"}, "v1@sha1:{}", "refs/tags/v1"),
        ({"name": "refs/tags/v1"}, "v1@sha1:{}", "refs/tags/v1"),
        ({"name": "refs/heads/main", "tag": "v1"}, "main@sha1:{}", "refs/heads/main"),
        ({"name": "refs/pull/7/head"}, "refs/pull/7/head@sha1:{}", "refs/pull/7/head"),
    ],
)
async def test_one_ref_is_shown_at_the_verified_commit(mirror, ref, revision, shown):
    mirrors, commit = mirror
    found = await mirrored(Store(revision.format(commit), ref), mirrors, never)(RUNNER)
    assert await found.refs() == {shown: commit}
    assert await found.refs("refs/notes/") == {}


async def test_a_source_that_follows_a_commit_shows_no_branch(mirror):
    mirrors, commit = mirror
    found = await mirrored(Store(f"sha1:{commit}", {"commit": commit}), mirrors, never)(RUNNER)
    assert not [name for name in await found.refs() if name]
