"""`spec.verify`: what nobody trusted has signed never becomes the artifact. gpg and ssh-keygen make the signatures."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.integration.needed import need
from tests.integration.source_world import Remote, SourceWorld, condition

from tidegate.base import process
from tidegate.base.private import PREFIX
from tidegate.git.verifying import allowed_signers

pytestmark = pytest.mark.integration
VERIFIED = "SourceVerified"
SIGNED_SSH = ("-c", "gpg.format=ssh")


def run(*argv, **environment):
    done = subprocess.run(argv, env=os.environ | environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def keyring():
    """A GNUPGHOME with two keys; short, since its agent's socket is in it."""
    need("gpg", "gnupg")
    folder = tempfile.mkdtemp(prefix="gpg-", dir="/tmp")
    for name in ("Ann", "Bob"):
        run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "ed25519",
            "sign", GNUPGHOME=folder)  # fmt: skip
    yield folder
    run("gpgconf", "--kill", "all", GNUPGHOME=folder)
    shutil.rmtree(folder)


def ring(keyring, name):
    return run("gpg", "--armor", "--export", f"{name}@example.com", GNUPGHOME=keyring).encode()


def key_id(keyring, name):
    listed = run("gpg", "--list-keys", "--with-colons", f"{name}@example.com", GNUPGHOME=keyring)
    return next(line.split(":")[4] for line in listed.splitlines() if line.startswith("pub"))


@pytest.fixture
def ssh_keys(tmp_path):
    need("ssh-keygen", "openssh-client")
    for name in ("ann", "bob"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@example.com", "-f", str(tmp_path / name))
    return tmp_path


@pytest.fixture
def world(tmp_path):
    found = SourceWorld(tmp_path)
    yield found
    found.close()


@pytest.fixture
def remote(tmp_path, keyring):
    return Remote(tmp_path / "remote", GNUPGHOME=keyring)


def by_gpg(remote, name="Ann", **files):
    return remote.commit(files, f"--gpg-sign={name}@example.com")


def by_ssh(remote, key, **files):
    remote.write(files)
    remote.git("add", "-A")
    remote.git(*SIGNED_SSH, "commit", "-q", "--allow-empty", "-m", "signed", f"--gpg-sign={key}")
    return remote.git("rev-parse", "HEAD")


async def source(world, remote, mode="HEAD", **spec):
    return await world.source(remote.url, verify={"mode": mode, "secretRef": {"name": "keys"}}, **spec)


@pytest.mark.parametrize("mode", ["HEAD", "head"])
async def test_a_commit_that_is_signed_by_gpg(world, remote, keyring, mode):
    await world.secret("keys", {"bob.asc": ring(keyring, "Bob"), "ann.asc": ring(keyring, "Ann")})
    commit = by_gpg(remote, a="1")
    status = await world.reconcile(key := await source(world, remote, mode))
    said = f"verified signature of\n\t- commit '{commit}' with key '{key_id(keyring, 'Ann')}'"
    assert condition(status, VERIFIED) == ("True", "Succeeded", said)
    assert condition(status, "Ready")[0] == "True"
    assert status["sourceVerificationMode"] == "HEAD"
    assert status["sourceVerificationFingerprint"].startswith("sha256:")
    assert await world.files(key) == {"a": "1"}


async def test_a_commit_that_is_signed_by_ssh(world, remote, ssh_keys):
    public = (ssh_keys / "ann.pub").read_bytes()
    await world.secret("keys", {"ann.sshpub": b"# Ann\n\n" + public, "old.asc": b"not read for ssh"})
    commit = by_ssh(remote, ssh_keys / "ann", a="1")
    status = await world.reconcile(await source(world, remote))
    fingerprint = run("ssh-keygen", "-lf", str(ssh_keys / "ann.pub")).split()[1]
    said = f"verified signature of\n\t- commit '{commit}' with key '{fingerprint}'"
    assert condition(status, VERIFIED) == ("True", "Succeeded", said)


async def refused(world, key, reason, words):
    status = await world.reconcile(key)
    said = condition(status, VERIFIED)
    assert said[:2] == ("False", reason)
    assert words in said[2]
    assert condition(status, "Ready")[:2] == ("False", reason)
    return status


async def test_what_is_not_signed_does_not_take_the_place_of_what_is(world, remote, keyring):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    good = by_gpg(remote, a="1")
    key = await source(world, remote)
    await world.reconcile(key)
    bad = remote.commit({"a": "2"})
    words = f"signature verification of commit '{bad}' failed: unsupported signature type: empty"
    status = await refused(world, key, "InvalidCommitSignature", words)
    assert status["artifact"]["revision"] == f"main@sha1:{good}"
    assert await world.files(key) == {"a": "1"}
    world.restart(disk="another")
    assert await world.files(key) == {"a": "1"}
    better = by_gpg(remote, a="3")
    status = await world.reconcile(key)
    assert status["artifact"]["revision"] == f"main@sha1:{better}"
    assert condition(status, VERIFIED)[0] == "True"


async def test_a_stranger_is_not_trusted(world, remote, keyring):
    """Not even one whose key this machine knows."""
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, "Bob", a="1")
    words = "unable to verify payload with any of the given key rings: no matching key"
    status = await refused(world, await source(world, remote), "InvalidCommitSignature", words)
    assert "artifact" not in status


async def test_a_key_that_was_revoked_is_nobodys(world, remote, keyring):
    run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Eve <Eve@example.com>", "ed25519", "sign",
        GNUPGHOME=keyring)  # fmt: skip
    await world.secret("keys", {"eve.asc": ring(keyring, "Eve")})
    by_gpg(remote, "Eve", a="1")
    key = await source(world, remote)
    assert condition(await world.reconcile(key), VERIFIED)[0] == "True"
    listed = run("gpg", "--list-keys", "--with-colons", "Eve@example.com", GNUPGHOME=keyring).splitlines()
    fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
    revocation = Path(keyring, f"openpgp-revocs.d/{fingerprint}.rev")
    guarded = revocation.read_text()
    revocation.write_text(guarded.replace(":-----BEGIN", "-----BEGIN"))  # gpg guards it against use by mistake
    run("gpg", "--batch", "--import", str(revocation), GNUPGHOME=keyring)
    await world.secret("keys", {"eve.asc": ring(keyring, "Eve")})
    await refused(world, key, "InvalidCommitSignature", "no matching key")


async def test_a_key_that_has_expired_is_nobodys(world, tmp_path, keyring):
    past = ("--faked-system-time", "20200101T000000")
    run("gpg", *past, "--batch", "--passphrase", "", "--quick-generate-key", "Old <Old@example.com>", "ed25519", "sign",
        "1d", GNUPGHOME=keyring)  # fmt: skip
    then = tmp_path / "gpg-of-then"
    then.write_text(f'#!/bin/sh\nexec gpg {" ".join(past)} "$@"\n')
    then.chmod(0o755)
    remote = Remote(tmp_path / "old", GNUPGHOME=keyring)
    remote.git("config", "gpg.program", str(then))
    by_gpg(remote, "Old", a="1")
    await world.secret("keys", {"old.asc": ring(keyring, "Old")})
    await refused(world, await source(world, remote), "InvalidCommitSignature", "no matching key")


async def test_a_stranger_with_an_ssh_key_is_not_trusted(world, remote, ssh_keys):
    await world.secret("keys", {"ann.sshpub": (ssh_keys / "ann.pub").read_bytes()})
    by_ssh(remote, ssh_keys / "bob", a="1")
    words = "unable to verify payload with any of the given authorized keys: no matching key"
    await refused(world, await source(world, remote), "InvalidCommitSignature", words)


async def test_a_signature_does_not_carry_over_to_other_content(world, remote, keyring):
    """The signed commit's header, with another tree."""
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, a="1")
    signed = remote.git("cat-file", "commit", "HEAD") + "\n"
    remote.commit({"a": "evil"})
    tree = remote.git("rev-parse", "HEAD^{tree}")
    forged = "\n".join([f"tree {tree}", *signed.split("\n")[1:]])
    commit = remote.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=forged.encode())
    remote.git("update-ref", "refs/heads/main", commit)
    await refused(world, await source(world, remote), "InvalidCommitSignature", "no matching key")


async def test_the_kind_of_key_that_is_missing_is_named(world, remote, keyring, ssh_keys):
    await world.secret("keys", {"ann.sshpub": (ssh_keys / "ann.pub").read_bytes()})
    by_gpg(remote, a="1")
    key = await source(world, remote)
    await refused(world, key, "InvalidCommitSignature", "PGP signature detected but no PGP public keys found in secret")
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_ssh(remote, ssh_keys / "ann", a="2")
    await refused(world, key, "InvalidCommitSignature", "SSH signature detected but no SSH public keys found in secret")


async def test_a_secret_that_is_missing_or_holds_no_key_is_named(world, remote, keyring):
    by_gpg(remote, a="1")
    key = await source(world, remote)
    await refused(
        world, key, "VerificationError", "public keys secret error: the Secret flux-system/keys does not exist"
    )
    await world.secret("keys", {"ann.asc": b"no key at all"})
    await refused(world, key, "InvalidCommitSignature", "unable to read armored key ring")


async def test_other_keys_are_looked_at_though_the_commit_is_the_same(world, remote, keyring):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, a="1")
    key = await source(world, remote)
    await world.reconcile(key)
    await world.secret("keys", {"bob.asc": ring(keyring, "Bob")})
    await refused(world, key, "InvalidCommitSignature", "no matching key")


async def test_what_is_verified_is_not_verified_twice(world, remote, keyring, monkeypatch):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, a="1")
    key = await source(world, remote)
    before = await world.reconcile(key)
    seen, started = [], process.run

    async def recorded(argv, **options):
        seen.append(list(argv))
        return await started(argv, **options)

    monkeypatch.setattr(process, "run", recorded)
    assert await world.reconcile(key) == before
    assert not [argv for argv in seen if argv[0] == "gpg" or "verify-commit" in argv]


async def test_what_is_verified_stays_so_while_the_remote_is_away(world, remote, keyring, tmp_path):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, a="1")
    key = await source(world, remote)
    before = await world.reconcile(key)
    remote.folder.rename(tmp_path / "away")
    away = await world.reconcile(key)
    assert condition(away, "Ready")[:2] == ("False", "GitOperationFailed")
    assert condition(away, VERIFIED) == condition(before, VERIFIED)
    assert away["artifact"] == before["artifact"]
    (tmp_path / "away").rename(remote.folder)
    assert condition(await world.reconcile(key), VERIFIED) == condition(before, VERIFIED)


async def test_without_verify_nothing_is_said_of_signatures(world, remote, keyring):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, a="1")
    await world.reconcile(await source(world, remote))
    status = await world.reconcile(await world.source(remote.url))
    assert condition(status, VERIFIED) is None
    assert not {"sourceVerificationMode", "sourceVerificationFingerprint"} & status.keys()


@pytest.mark.parametrize("ref", [{"tag": "v1.0.0"}, {"semver": "1.x"}, {"name": "refs/tags/v1.0.0"}])
async def test_a_tag_that_is_signed(world, remote, keyring, ref):
    """Its commit need not be."""
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    remote.commit({"a": "1"})
    remote.git("tag", "-u", "Ann@example.com", "-m", "release", "v1.0.0")
    tag = remote.git("rev-parse", "v1.0.0")
    status = await world.reconcile(await source(world, remote, "Tag", ref=ref))
    said = f"verified signature of\n\t- tag 'v1.0.0@{tag}' with key '{key_id(keyring, 'Ann')}'"
    assert condition(status, VERIFIED) == ("True", "Succeeded", said)
    assert status["sourceVerificationMode"] == "Tag"


async def test_a_tag_and_its_commit(world, remote, keyring, ssh_keys):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann"), "bob.sshpub": (ssh_keys / "bob.pub").read_bytes()})
    key = await source(world, remote, "TagAndHEAD", ref={"tag": "v1"})
    remote.commit({"a": "1"})
    remote.git("tag", "-u", "Ann@example.com", "-m", "release", "v1")
    await refused(world, key, "InvalidCommitSignature", "unsupported signature type: empty")
    commit = by_gpg(remote, a="2")
    remote.git(*SIGNED_SSH, "tag", "-f", "-u", str(ssh_keys / "bob"), "-m", "release", "v1")
    status = await world.reconcile(key)
    words = condition(status, VERIFIED)[2].split("\n\t- ")
    assert [line.split(" with ")[0].split("@")[0] for line in words[1:]] == ["tag 'v1", f"commit '{commit}'"]


async def test_a_tag_that_is_not_signed_and_is_signed_later(world, remote, keyring):
    """The tag then names the same commit, so it has to be read again."""
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    remote.commit({"a": "1"})
    key = await source(world, remote, "Tag", ref={"tag": "v1"})
    for options, shown in (([], "v1'"), (["-f", "-a", "-m", "notes"], "v1@")):
        remote.git("tag", *options, "v1")
        words = f"cannot verify signature of tag '{shown}"
        assert "since it is not signed" in condition(await refused(world, key, "InvalidGitObject", words), VERIFIED)[2]
    remote.git("tag", "-f", "-u", "Ann@example.com", "-m", "release", "v1")
    assert condition(await world.reconcile(key), VERIFIED)[0] == "True"


async def test_a_signed_tag_under_another_name_is_refused(world, remote, keyring):
    """Else whoever may push could show an old release, which is signed, as a new one."""
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    remote.commit({"a": "1"})
    remote.git("tag", "-u", "Ann@example.com", "-m", "release", "v1.0.0")
    remote.git("update-ref", "refs/tags/v2.0.0", remote.git("rev-parse", "v1.0.0"))
    key = await source(world, remote, "Tag", ref={"semver": ">=1"})
    await refused(world, key, "InvalidTagSignature", "failed: it was signed as the tag 'v1.0.0'")


@pytest.mark.parametrize("mode", ["Tag", "TagAndHEAD"])
async def test_a_branch_has_no_tag_to_verify(world, remote, keyring, mode):
    await world.secret("keys", {"ann.asc": ring(keyring, "Ann")})
    by_gpg(remote, a="1")
    status = await world.reconcile(await source(world, remote, mode))
    said = "cannot verify tag object's signature if a tag reference is not specified"
    for kind, value in (("Stalled", "True"), ("Ready", "False"), (VERIFIED, "False")):
        assert condition(status, kind) == (value, "InvalidVerificationMode", said)


@pytest.fixture
def scratch(monkeypatch):
    """Another temporary directory; short, for the socket of an agent."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


async def test_nothing_stays_behind(world, remote, keyring, scratch):
    """No folder, and no agent, not even where somebody has put a private key among the public ones."""
    private = run("gpg", "--batch", "--armor", "--export-secret-keys", "Ann@example.com", GNUPGHOME=keyring)
    await world.secret("keys", {"ann.asc": private.encode()})
    by_gpg(remote, a="1")
    assert condition(await world.reconcile(await source(world, remote)), VERIFIED)[0] == "True"
    assert [path for path in scratch.rglob("*") if not path.name.startswith(PREFIX)] == []
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in commands if str(scratch).encode() in line]


def test_the_options_of_a_key_are_left_out_and_no_key_is_an_authority():
    entry = b'# a\n\ncert-authority,command="a b" ssh-ed25519 AAAAC3Nz ann@example.com\nssh-rsa AAAAB3== bob\n'
    assert allowed_signers([b"nonsense", entry]) == (
        '* namespaces="git" ssh-ed25519 AAAAC3Nz\n* namespaces="git" ssh-rsa AAAAB3==\n'
    )
