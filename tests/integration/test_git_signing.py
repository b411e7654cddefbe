"""Commits that are signed with GPG and SSH keys: git itself verifies them."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.integration.needed import need

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.base.private import private_folder
from tidegate.git.repository import Repository
from tidegate.git.signing import SigningKey, sign, sign_commit
from tidegate.git.values import Signature

pytestmark = pytest.mark.integration
AUTHOR = Signature("Gate Keeper", "gate@example.com")
PASSPHRASE = b"a secret that nobody sees"


@pytest.fixture
async def repository(tmp_path):
    repository = Repository(tmp_path / "repo.git")
    await repository.init()
    return repository


async def signed(repository, key):
    commit = await repository.write_commit(None, {"a.yaml": b"a: 1\n"}, author=AUTHOR, message="Say a\n\nand why")
    return commit, await sign_commit(repository, commit, key)


def run(*argv, env=None, stdin=None, check=True):
    return subprocess.run(
        argv, env=os.environ | (env or {}), input=stdin, capture_output=True, text=True, timeout=60, check=check
    )


@pytest.fixture
def keyring():
    """A GNUPGHOME; short, since its agent's socket is in it."""
    need("gpg", "gnupg")
    folder = tempfile.mkdtemp(prefix="gpg-", dir="/tmp")
    yield {"GNUPGHOME": folder}
    run("gpgconf", "--kill", "all", env={"GNUPGHOME": folder})
    shutil.rmtree(folder)


def gpg_key(keyring, passphrase=b""):
    secret = ["--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase.decode()]
    run("gpg", *secret, "--quick-generate-key", "Gate <gate@example.com>", "ed25519", "sign", env=keyring)
    return run("gpg", *secret, "--armor", "--export-secret-keys", env=keyring).stdout.encode()


def ssh_key(folder, passphrase=b""):
    need("ssh-keygen", "openssh-client")
    file = folder / f"key-{len(passphrase)}"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase.decode(), "-f", str(file))
    return file.read_bytes(), file.with_suffix(".pub").read_text()


@pytest.mark.parametrize("passphrase", [b"", PASSPHRASE])
async def test_git_verifies_a_commit_signed_by_gpg(repository, keyring, passphrase):
    data = {"git.asc": gpg_key(keyring, passphrase), "passphrase": passphrase}
    unsigned, commit = await signed(repository, SigningKey.of(data, "gpg", "signing"))
    verified = run("git", "--git-dir", str(repository.path), "verify-commit", commit, env=keyring)
    assert 'Good signature from "Gate <gate@example.com>"' in verified.stderr
    assert (await repository.log(commit)).message == (await repository.log(unsigned)).message
    run("git", "--git-dir", str(repository.path), "fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("passphrase", [b"", PASSPHRASE])
async def test_git_verifies_a_commit_signed_by_ssh(repository, tmp_path, passphrase):
    key, public = ssh_key(tmp_path, passphrase)
    _, commit = await signed(repository, SigningKey.of({"identity": key, "password": passphrase}, "ssh", "signing"))
    (tmp_path / "allowed").write_text(f"gate@example.com {public}")
    git = ["git", "--git-dir", str(repository.path), "-c", f"gpg.ssh.allowedSignersFile={tmp_path}/allowed"]
    assert 'Good "git" signature for gate@example.com' in run(*git, "verify-commit", commit).stderr


async def test_a_key_that_can_not_sign_is_named_without_showing_anything_of_it(repository, keyring, tmp_path):
    locked, _ = ssh_key(tmp_path, PASSPHRASE)
    data = {"git.asc": gpg_key(keyring, PASSPHRASE), "passphrase": b"wrong-passphrase"}
    public = run("gpg", "--armor", "--export", env=keyring).stdout.encode()
    for key in (
        SigningKey.of(data, "gpg", "signing"),
        SigningKey.of({"git.asc": public}, "gpg", "signing"),
        SigningKey.of({"git.asc": b"no key"}, "gpg", "signing"),
        SigningKey.of({"identity": locked, "password": b"wrong-passphrase"}, "ssh", "signing"),
        SigningKey.of({"identity": b"no key"}, "ssh", "signing"),
    ):
        with pytest.raises(InvalidInput, match="signing key") as caught:
            await signed(repository, key)
        assert caught.value.code == "InvalidSigningKey"
        assert "wrong-passphrase" not in caught.value.explain() + repr(key)
        assert tempfile.gettempdir() not in caught.value.message
    with pytest.raises(InvalidInput, match=r"the Secret signing has no git\.asc"):
        SigningKey.of({"identity": locked}, "gpg", "signing")


async def test_nothing_is_left_of_a_signature(repository, keyring):
    with private_folder() as beside:
        await signed(repository, SigningKey.of({"git.asc": gpg_key(keyring)}, "gpg", "signing"))
        assert list(beside.parent.iterdir()) == [beside]
    agents = [path for path in Path("/proc").glob("[0-9]*/cmdline") if bytes(beside.parent) in _read(path)]
    assert agents == []


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_a_missing_program_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as caught:
        await sign(b"payload", SigningKey("gpg", b"key"))
    assert "apt-get install gnupg" in caught.value.explain()
