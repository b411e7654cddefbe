"""The mirror of a Runner's source: opened only once it holds what the source's status names."""

import pytest

from tidegate.base.errors import NotFound
from tidegate.git.mirror import Mirrors
from tidegate.kinds.runner import Runner
from tidegate.runner.repositories import mirrored

OLD, NEW = "1" * 40, "2" * 40
URL = "https://github.com/acme/shop"
RUNNER = Runner.from_object(
    {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Runner",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "spec": {"repository": "acme/shop", "sourceRef": {"name": "shop"}},
    }
)


class Store:
    def __init__(self, revision):
        self.revision = revision

    async def get(self, key):
        if key.kind != "GitRepository":
            raise NotFound("nothing")
        status = {"artifact": {"revision": self.revision}} if self.revision else {}
        about = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
        metadata = {"name": "shop", "namespace": "flux-system"}
        return about | {"metadata": metadata, "spec": {"url": URL, "interval": "1m"}, "status": status}


@pytest.fixture
def mirrors(tmp_path):
    return Mirrors(tmp_path)


@pytest.fixture
def mirror(mirrors, monkeypatch):
    """A mirror on this disk with these refs."""

    def made(**refs):
        path = mirrors.path(URL)
        (path / "objects").mkdir(parents=True)
        (path / "HEAD").write_text("ref: refs/heads/main\n")

        async def listed(_repository, _prefix="refs/"):
            return {f"refs/heads/{name}": commit for name, commit in refs.items()}

        monkeypatch.setattr("tidegate.git.repository.Repository.refs", listed)

    return made


async def opened(mirrors, revision):
    """Whether it was `fetched`, `here`, or is not there yet."""
    fetched = []

    async def fetch(source):
        fetched.append(source)
        return "the repository"

    found = await mirrored(Store(revision), mirrors, fetch)(RUNNER)
    return "fetched" if fetched else "here" if found else "not yet"


async def test_what_the_status_names_is_here(mirrors, mirror):
    mirror(main=NEW)
    assert await opened(mirrors, f"main@sha1:{NEW}") == "here"


async def test_an_empty_mirror_is_fetched_first(mirrors, mirror):
    mirror()
    assert await opened(mirrors, f"main@sha1:{NEW}") == "fetched"


async def test_an_older_mirror_is_fetched_first(mirrors, mirror):
    mirror(main=OLD)
    assert await opened(mirrors, f"main@sha1:{NEW}") == "fetched"


async def test_a_process_without_the_source_controller_fetches_itself(mirrors):
    assert await opened(mirrors, f"main@sha1:{NEW}") == "fetched"


async def test_a_source_that_has_never_been_fetched_is_waited_for(mirrors):
    assert await opened(mirrors, None) == "not yet"
