"""`tidegate keygen` against a real sshd: the Secret that it makes opens the repository, and pushes to it."""

import base64
import shlex
import subprocess
import sys

import pytest
import yaml
from tests.integration.ssh_remote import SshRemote

from tidegate.git.mirror import Mirrors
from tidegate.git.remote import Remote, ls_remote
from tidegate.git.secrets import credentials_of
from tidegate.git.values import Signature

pytestmark = pytest.mark.integration


@pytest.fixture
def remote(tmp_path):
    remote = SshRemote(tmp_path / "ssh")
    remote.create("shop")
    remote.start()
    yield remote
    remote.stop()


def keygen(*arguments):
    """In a session of its own, so that there is no terminal to ask at."""
    argv = [sys.executable, "-m", "tidegate", "keygen", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, start_new_session=True)


async def test_the_secret_that_is_made_reads_and_pushes(remote, tmp_path):
    file = tmp_path / "secret.yaml"
    done = keygen("--repo", remote.url("shop"), "--write-secret", str(file), "--yes")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    secret = yaml.safe_load(file.read_text())
    assert secret["metadata"] == {"name": "flux-system", "namespace": "flux-system"}
    data = {key: base64.b64decode(value) for key, value in secret["data"].items()}
    assert data["known_hosts"].splitlines() == sorted(
        line.encode() for line in remote.known_hosts().splitlines() if not line.startswith("#")
    )
    public = data["identity.pub"].decode().strip()
    assert public in done.stderr
    assert public.endswith(" flux-system.flux-system")
    assert "SHA256:" in done.stderr
    assert "PRIVATE KEY" not in done.stderr

    with (remote.folder / "authorized_keys").open("a") as allowed:
        allowed.write(f"{public}\n")
    place = Remote(remote.url("shop"), credentials_of(data))
    assert await ls_remote(place) == {}
    mirrors = Mirrors(tmp_path / "mirrors")
    repository = await mirrors.open(place)
    commit = await repository.write_commit(
        None, {"a": b"1\n"}, author=Signature("Gate", "gate@example.com"), message="Begin"
    )
    await mirrors.push(repository, place, commit, "main", None)
    assert await ls_remote(place) == {"HEAD": commit, "refs/heads/main": commit}

    again = keygen("--repo", remote.url("shop"), "--write-secret", str(file), "--yes")
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert yaml.safe_load(file.read_text()) == secret


def test_keys_that_nobody_has_confirmed_are_not_believed(remote, tmp_path):
    file = tmp_path / "secret.yaml"
    done = keygen("--repo", remote.url("shop"), "--write-secret", str(file))
    assert (done.returncode, done.stdout, file.exists()) == (1, "", False)
    assert "were not confirmed" in done.stderr
    known = tmp_path / "known"
    known.write_text(remote.known_hosts())
    given = keygen("--repo", remote.url("shop"), "--known-hosts", str(known), "-n", "apps", "--name", "git")
    assert given.returncode == 0, given.stderr
    assert yaml.safe_load(given.stdout)["metadata"] == {"name": "git", "namespace": "apps"}
    known.write_text("nothing\n")
    assert "is no known_hosts file" in keygen("--repo", remote.url("shop"), "--known-hosts", str(known)).stderr


@pytest.mark.parametrize(("answer", "made"), [("y", True), ("n", False), ("", False)])
def test_a_person_is_asked_at_the_terminal(remote, tmp_path, answer, made):
    file = tmp_path / "secret.yaml"
    command = [sys.executable, "-m", "tidegate", "keygen", "--repo", remote.url("shop"), "--write-secret", str(file)]
    done = subprocess.run(
        ["script", "-qec", shlex.join(command), "/dev/null"], input=f"{answer}\n", capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert "Are these the keys that 127.0.0.1 publishes? [y/N]" in done.stdout
    assert (done.returncode == 0, file.exists()) == (made, made), done.stdout


def test_a_host_that_is_not_there_is_named(tmp_path):
    done = keygen("--repo", "ssh://git@127.0.0.1:1/me/shop", "--yes")
    assert done.returncode == 1
    assert "127.0.0.1 port 1 has told no key" in done.stderr
