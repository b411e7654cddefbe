"""A process whose disk is new fetches what a source's status already names."""

import subprocess

import pytest

from tidegate.base.errors import NotFound
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.objects import ObjectKey
from tidegate.source.trees import FetchedTrees, LocalTrees

pytestmark = pytest.mark.integration
SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "cluster")


def git(folder, *arguments):
    options = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path):
    folder = tmp_path / "remote"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


@pytest.fixture
def store(tmp_path):
    found = SqliteStore(tmp_path / "store.db", ManualClock())
    yield found
    found.close()


def commit(folder, text):
    (folder / "app.yaml").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", text)
    return git(folder, "rev-parse", "HEAD")


async def test_a_revision_that_is_not_here_is_fetched(tmp_path, remote, store):
    first, second = commit(remote, "one"), commit(remote, "two")
    await store.create(
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": SOURCE.name, "namespace": SOURCE.namespace},
            "spec": {"url": f"file://{remote}", "interval": "1m", "ref": {"branch": "main"}},
        },
        manager="test",
    )
    origins = Origins(Mirrors(tmp_path / "mirrors"), lambda _: None, None, file_roots=(tmp_path,))
    trees = FetchedTrees(LocalTrees(tmp_path / "trees.json"), origins, store)
    for revision, text in ((second, b"two"), (first, b"one")):
        with await trees.open(SOURCE, f"main@sha1:{revision}") as files:
            assert files.read("app.yaml") == text
    with pytest.raises(NotFound):
        await trees.open(SOURCE, f"main@sha1:{'0' * 40}")
