"""Signs commits as git does, with a GPG or an SSH key that only the call knows: no keyring and no agent of the machine.

The key and its passphrase are in files of mode 0600 in a folder that goes with the call, never on a command line. gpg
and ssh-keygen are asked once: what they refuse is refused again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, InvalidInput
from tidegate.base.frozen import frozen
from tidegate.base.private import private_folder, write_private
from tidegate.base.process import minimal_environment
from tidegate.git import command
from tidegate.git.names import check_object_id
from tidegate.git.repository import Repository

SIGN_TIMEOUT = 30.0
SIGNATURE_LIMIT = 64 * 1024
GPG_KEY, SSH_KEY = "git.asc", "identity"
_ASKPASS = "#!/bin/sh\nexec cat -- {file}\n"


@frozen
class SigningKey:
    """A private key, ASCII-armoured (`gpg`) or as ssh-keygen writes it (`ssh`). Never shown: it is not in `repr`."""

    type: str
    key: bytes = field(repr=False)
    passphrase: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, data: Mapping[str, bytes], kind: str, name: str) -> SigningKey:
        """From the data of the Secret `name`: `git.asc` and `passphrase` for gpg, `identity` and `password` for ssh.

        InvalidInput where the key is missing.
        """
        key = GPG_KEY if kind == "gpg" else SSH_KEY
        if not data.get(key):
            raise InvalidInput(
                f"the Secret {name} has no {key}, which a {kind} signing key is in",
                remedy=f"kubectl create secret generic … --from-file={key}=FILE",
                code="InvalidSigningKey",
            )
        secret = data.get("passphrase") or (data.get("password", b"") if kind == "ssh" else b"")
        return cls(kind, data[key], secret.rstrip(b"\r\n"))


async def sign_commit(repository: Repository, commit: str, key: SigningKey) -> str:
    """The same commit with a signature; its new id. No ref moves. Raises InvalidInput for a key that can't sign,
    MissingTool where its program is not installed.
    """
    read = command.argv("cat-file", "commit", check_object_id(commit), git_dir=repository.path)
    payload = (await command.run(read)).stdout
    signed = with_signature(payload, await sign(payload, key))
    write = command.argv("hash-object", "-t", "commit", "-w", "--stdin", git_dir=repository.path)
    return check_object_id((await command.run(write, stdin=signed)).text.strip())


def with_signature(payload: bytes, signature: bytes) -> bytes:
    """A raw commit object with the header `gpgsig`, which holds either kind, at the end of its headers. Pure."""
    head, separator, message = payload.partition(b"\n\n")
    lines = signature.strip().replace(b"\r\n", b"\n").replace(b"\n", b"\n ")
    return head + b"\ngpgsig " + lines + separator + message


async def sign(payload: bytes, key: SigningKey) -> bytes:
    """A detached, ASCII-armoured signature."""
    with private_folder() as folder:
        try:
            return await (_gpg if key.type == "gpg" else _ssh)(payload, key, folder)
        except CommandFailed as error:
            said = (error.output.strip().splitlines() or [error.message])[-1].replace(str(folder), "")
            raise InvalidInput(
                f"the {key.type} signing key can't sign: {said}",
                remedy="is it a private key that may sign, and its passphrase right?",
                code="InvalidSigningKey",
            ) from None


async def _gpg(payload: bytes, key: SigningKey, folder: Path) -> bytes:
    secret = write_private(folder / "passphrase", key.passphrase)
    asked = ["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase-file", str(secret)]
    env = minimal_environment({"GNUPGHOME": str(folder)})
    try:
        await _run(["gpg", *asked, "--import"], key.key, env, "gnupg")
        return await _run(["gpg", *asked, "--armor", "--detach-sign"], payload, env, "gnupg")
    finally:
        # The agent that gpg has started is in a session of its own.
        await process.run(["gpgconf", "--kill", "all"], env=env, timeout=SIGN_TIMEOUT, check=False, package="gnupg")


async def _ssh(payload: bytes, key: SigningKey, folder: Path) -> bytes:
    identity = write_private(folder / SSH_KEY, key.key.rstrip(b"\n") + b"\n")
    secret = write_private(folder / "passphrase", key.passphrase)
    askpass = write_private(folder / "askpass", _ASKPASS.format(file=secret).encode())
    askpass.chmod(0o700)
    env = minimal_environment({"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"})
    return await _run(["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(identity)], payload, env, "openssh-client")


async def _run(argv: list[str], stdin: bytes, env: Mapping[str, str], package: str) -> bytes:
    done = await process.run(
        argv, stdin=stdin, env=env, timeout=SIGN_TIMEOUT, output_limit=SIGNATURE_LIMIT, package=package
    )
    return done.stdout
