"""A source that follows a range of versions, on a real repository."""

import subprocess

import pytest

from tidegate.base.errors import NotFound
from tidegate.git import command
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.source.reading import read_source

pytestmark = pytest.mark.integration


def git(folder, *arguments):
    options = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def release(folder, *tag):
    git(folder, "commit", "-q", "--allow-empty", "-m", tag[-1])
    git(folder, "tag", *tag)
    return git(folder, "rev-parse", "HEAD")


def source(url, wanted):
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "cluster", "namespace": "flux-system"},
        "spec": {"url": url, "interval": "1m", "ref": {"semver": wanted}},
    }


@pytest.fixture
def remote(tmp_path):
    folder = tmp_path / "remote"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


@pytest.fixture(params=["remote", "hosted"])
def origins(request, tmp_path, remote):
    def hosted(_url):
        return remote / ".git" if request.param == "hosted" else None

    return Origins(Mirrors(tmp_path / "mirrors"), hosted, None, file_roots=(tmp_path,))


async def test_a_source_follows_the_newest_release(remote, origins):
    """An annotated tag stands for its commit; a tag that is moved or deleted is followed too."""
    obj = source(f"file://{remote}", ">=1.0.0")
    first = release(remote, "1.0.0")
    assert (await read_source(origins, None, obj)).revision == f"1.0.0@sha1:{first}"
    second = release(remote, "-a", "-m", "notes", "v1.1.0")
    release(remote, "2.0.0-rc.1")
    assert (await read_source(origins, None, obj)).revision == f"v1.1.0@sha1:{second}"
    moved = release(remote, "-f", "v1.1.0")
    assert (await read_source(origins, None, obj)).revision == f"v1.1.0@sha1:{moved}"
    git(remote, "tag", "-d", "v1.1.0")
    assert (await read_source(origins, None, obj)).revision == f"1.0.0@sha1:{first}"


async def test_no_release_in_the_range_is_said_as_flux_says_it(remote, origins):
    release(remote, "1.0.0")
    with pytest.raises(NotFound, match="no match found for semver: >=2"):
        await read_source(origins, None, source(f"file://{remote}", ">=2"))


@pytest.mark.parametrize("origins", ["remote"], indirect=True)
async def test_the_remote_is_asked_once_where_nothing_changed(remote, origins, monkeypatch):
    obj = source(f"file://{remote}", "1.x")
    release(remote, "1.0.0")
    await read_source(origins, None, obj)
    seen, run = [], command.run

    async def recorded(argv, **options):
        seen.append(list(argv))
        return await run(argv, **options)

    monkeypatch.setattr(command, "run", recorded)
    await read_source(origins, None, obj)
    assert [word for argv in seen for word in argv if word in ("ls-remote", "fetch")] == ["ls-remote"]
