"""Whether a commit or a tag is signed by somebody who is trusted, as `git verify-commit` and `git verify-tag` say, with
gpg and ssh-keygen, in a folder that goes with the call. No keyring of the machine counts, only keys that are named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from tidegate.base import process
from tidegate.base.errors import CommandFailed, InvalidInput, LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.base.private import private_folder, write_private
from tidegate.base.process import minimal_environment
from tidegate.git import command
from tidegate.git.names import check_object_id
from tidegate.git.repository import Repository

VERIFY_TIMEOUT = 30.0
KEYS_LIMIT = 200
"""How many entries a Secret of public keys may have: each costs a call of gpg."""
SSH_SUFFIX, GPG_SUFFIX = ".sshpub", ".asc"
OPENPGP, SSH = "openpgp", "ssh"
_BEGINNINGS = {
    b"-----BEGIN PGP SIGNATURE-----": OPENPGP,
    b"-----BEGIN SSH SIGNATURE-----": SSH,
    b"-----BEGIN SIGNED MESSAGE-----": "x509",
}
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40,64})$", re.MULTILINE)
_GOOD = re.compile(r'^Good "git" signature .* (SHA256:\S+)$', re.MULTILINE)
_SSH_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[a-z0-9@.\-]+)\s+([A-Za-z0-9+/]+={0,3})(?=\s|$)")


@frozen
class PublicKeys:
    """Whose signatures count: key rings as gpg exports them, and keys as they stand in an authorized_keys file."""

    rings: tuple[bytes, ...] = ()
    ssh: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, bytes]) -> PublicKeys:
        """From a Secret, by Flux's rule: what is named `*.sshpub` is for ssh, everything else for gpg."""
        if len(data) > KEYS_LIMIT:
            raise LimitExceeded(f"a Secret of public keys may have at most {KEYS_LIMIT} entries")
        ssh = sorted(value for name, value in data.items() if name.endswith(SSH_SUFFIX))
        return cls(tuple(sorted(value for name, value in data.items() if not name.endswith(SSH_SUFFIX))), tuple(ssh))

    @property
    def fingerprint(self) -> str:
        """The same for the same keys, whatever the Secret and its entries are named; as Flux makes it."""
        named = [b"pgp:" + ring + b"\0" for ring in self.rings] + [b"ssh:" + key + b"\0" for key in self.ssh]
        return f"sha256:{sha256(b''.join(named)).hexdigest()}"


def signature_type(kind: str, data: bytes) -> str:
    """What a raw `commit` or `tag` is signed with, in Flux's words: openpgp, ssh, x509, empty, unknown. Pure."""
    if kind == "tag":
        found = (_BEGINNINGS[line] for line in data.split(b"\n") if line in _BEGINNINGS)
        return next(found, "empty")
    head = data.partition(b"\n\n")[0]
    signature = next((line[7:] for line in head.split(b"\n") if line.startswith(b"gpgsig ")), None)
    return "empty" if signature is None else _BEGINNINGS.get(signature.strip(), "unknown")


async def verify(repository: Repository, kind: str, object_id: str, keys: PublicKeys) -> str:
    """Whose signature a `commit` or `tag` has: the id of a gpg key, or an ssh key's fingerprint.

    InvalidInput says, in Flux's words, why nobody's counts. MissingTool where gpg or ssh-keygen is not installed.
    """
    read = command.argv("cat-file", kind, check_object_id(object_id), git_dir=repository.path)
    found = signature_type(kind, (await command.run(read)).stdout)
    if found == OPENPGP:
        if not keys.rings:
            raise _no_keys("PGP", GPG_SUFFIX)
        return await _by_gpg(repository, kind, object_id, keys.rings)
    if found == SSH:
        if not keys.ssh:
            raise _no_keys("SSH", SSH_SUFFIX)
        return await _by_ssh(repository, kind, object_id, keys.ssh)
    raise InvalidInput(f"unsupported signature type: {found}")


def _no_keys(kind: str, suffix: str) -> InvalidInput:
    return InvalidInput(
        f"{kind} signature detected but no {kind} public keys found in secret (keys with {suffix} suffix)"
    )


async def _by_gpg(repository: Repository, kind: str, object_id: str, rings: Sequence[bytes]) -> str:
    with private_folder() as folder:
        home = {"GNUPGHOME": str(folder)}
        env = minimal_environment(home)
        try:
            read = [await _imported(ring, env) for ring in rings]
            if not any(read):
                raise InvalidInput("unable to read armored key ring", remedy="gpg --export --armor KEY prints one")
            said = await _verified(repository, kind, object_id, home, ())
        finally:
            if (folder / "S.gpg-agent").exists():  # somebody's private key is among them
                argv = ["gpgconf", "--kill", "all"]
                await process.run(argv, env=env, timeout=VERIFY_TIMEOUT, check=False, package="gnupg")
    valid = _VALID.search(said)
    if valid is None:
        raise InvalidInput(f"unable to verify Git {kind}: {_UNKNOWN_RING}")
    return valid[1][-16:]


_UNKNOWN_RING = "unable to verify payload with any of the given key rings: no matching key"
_UNKNOWN_KEY = "unable to verify payload with any of the given authorized keys: no matching key"


async def _imported(ring: bytes, env: Mapping[str, str]) -> bool:
    argv = ["gpg", "--batch", "--no-tty", "--quiet", "--import"]
    done = await process.run(argv, stdin=ring, env=env, timeout=VERIFY_TIMEOUT, check=False, package="gnupg")
    return done.exit_code == 0


async def _by_ssh(repository: Repository, kind: str, object_id: str, keys: Sequence[bytes]) -> str:
    signers = allowed_signers(keys)
    with private_folder() as folder:
        # ssh-keygen is asked for by git, which would only say that the signature is not good.
        await process.run(["ssh-keygen", "-?"], timeout=VERIFY_TIMEOUT, check=False, package="openssh-client")
        allowed = write_private(folder / "allowed_signers", signers.encode())
        said = await _verified(repository, kind, object_id, {}, (f"gpg.ssh.allowedSignersFile={allowed}",))
    good = _GOOD.search(said)
    if good is None:
        raise InvalidInput(f"unable to verify Git {kind} SSH signature: {_UNKNOWN_KEY}")
    return good[1]


def allowed_signers(keys: Sequence[bytes]) -> str:
    """ssh-keygen's file of signers for the keys of some authorized_keys files, whose options are left out: only for
    signatures of git, and nobody's authority. A file with a line that is no key is left out whole; InvalidInput where
    that leaves none. Pure.
    """
    lines, wrong = [], 0
    for entry in keys:
        found = [_SSH_KEY.search(line) for line in entry.decode("utf-8", "replace").splitlines() if _is_key(line)]
        if None in found:
            wrong += 1
            continue
        lines += [f'* namespaces="git" {key[1]} {key[2]}' for key in found if key]
    if wrong == len(keys):
        raise InvalidInput("unable to parse authorized keys", remedy="write one line for each key: TYPE BASE64 COMMENT")
    return "".join(f"{line}\n" for line in lines)


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


async def _verified(
    repository: Repository, kind: str, object_id: str, extra: Mapping[str, str], config: Sequence[str]
) -> str:
    """What gpg or ssh-keygen said of a good signature; nothing where it is not good, or its key expired or revoked."""
    argv = command.argv(f"verify-{kind}", "--raw", check_object_id(object_id), git_dir=repository.path, config=config)
    try:
        done = await command.run(argv, env=command.environment(extra), timeout=VERIFY_TIMEOUT)
    except CommandFailed as error:
        if error.exit_code is None:
            raise
        return ""
    return done.stderr.decode("utf-8", "replace")
