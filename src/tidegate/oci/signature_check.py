"""Whether a public key made a signature: the `openssl` program computes it.

ECDSA and RSA (PKCS #1 v1.5) over SHA-256, and pure ed25519, as cosign signs with such keys.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tidegate.base import process
from tidegate.base.private import private_folder
from tidegate.oci.public_keys import PublicKey

SIGNATURE_LIMIT = 4096
PACKAGE = "openssl"
TIMEOUT = 20.0
"""Seconds for one run of openssl; a busy small machine takes a part of one."""
_OUTPUT_LIMIT = 64 * 1024


async def made_by(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is the key's over `message`. Raises MissingTool where openssl is not installed, and
    CommandFailed where it does not end in time.
    """
    if not 0 < len(signature) <= SIGNATURE_LIMIT:
        return False
    with private_folder() as folder:
        files = {"key.pem": key.pem, "signature": signature, "message": message}
        await asyncio.to_thread(_write, folder, files)
        argv = verify_argv(key.algorithm, folder)
        ended = await process.run(
            argv, timeout=TIMEOUT, output_limit=_OUTPUT_LIMIT, check=False, cwd=folder, package=PACKAGE
        )
    return ended.exit_code == 0


def verify_argv(algorithm: str, folder: Path) -> list[str]:
    """The command that ends with 0 where the file `signature` is the one of `key.pem` over `message`."""
    key, signature, message = (str(folder / name) for name in ("key.pem", "signature", "message"))
    if algorithm == "ed25519":
        argv = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", message]
        return [*argv, "-sigfile", signature]
    return ["openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, message]


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
