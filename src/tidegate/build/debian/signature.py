"""Believes an `InRelease` only after `gpgv` or `sqv`, whichever this Debian has, has checked it against Debian's keys.

Debian 12's apt brings gpgv, Debian 13's sqv. What is returned is what was checked, never the file around it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.base.process import run

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_OUTPUT_LIMIT = 1024 * 1024
_MESSAGE = "-----BEGIN PGP SIGNED MESSAGE-----\n"
_SIGNATURE, _END = "-----BEGIN PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----"


async def verify(in_release: bytes, *, where: str, keyrings: Sequence[Path] = KEYRINGS) -> str:
    """The text that Debian signed. Raises InvalidInput where no good signature covers it, or MissingTool."""
    keyring = next((path for path in keyrings if path.is_file()), None)
    if keyring is None:
        remedy = "install it: apt-get install debian-archive-keyring"
        raise MissingTool("Debian's archive keys are not on this machine", remedy=remedy)
    check = _check_by_sqv if shutil.which("gpgv") is None and shutil.which("sqv") else _check_by_gpgv
    with tempfile.TemporaryDirectory(prefix="tidegate-release-") as folder:
        text = await check(in_release, keyring, Path(folder))
    if text is None:
        remedy = "check the mirror in apt's sources; where it is right, update debian-archive-keyring"
        raise InvalidInput(f"{where}/InRelease carries no valid signature of Debian", remedy=remedy)
    return text


async def _check_by_gpgv(in_release: bytes, keyring: Path, folder: Path) -> str | None:
    signed, body = folder / "InRelease", folder / "Release"
    signed.write_bytes(in_release)
    argv = gpgv_argv(keyring, signed, body)
    ended = await run(argv, check=False, package="gpgv", output_limit=_OUTPUT_LIMIT)
    return body.read_text("utf-8") if signature_holds(ended.text) and body.is_file() else None


async def _check_by_sqv(in_release: bytes, keyring: Path, folder: Path) -> str | None:
    parts = split_clear_signed(in_release.decode("utf-8", "replace"))
    if parts is None:
        return None
    body, signature = folder / "Release", folder / "Release.sig"
    body.write_text(parts[0], encoding="utf-8")
    signature.write_text(parts[1], encoding="utf-8")
    ended = await run(sqv_argv(keyring, signature, body), check=False, package="sqv", output_limit=_OUTPUT_LIMIT)
    return f"{parts[0]}\n" if ended.exit_code == 0 else None


def gpgv_argv(keyring: Path, signed: Path, body: Path) -> list[str]:
    """The command that checks `signed` and writes only what the signature covers to `body`."""
    return ["gpgv", "--status-fd", "1", "--keyring", str(keyring), "--output", str(body), str(signed)]


def sqv_argv(keyring: Path, signature: Path, body: Path) -> list[str]:
    """The command that ends with 0 where one signature of `body` is good."""
    return ["sqv", "--keyring", str(keyring), "--", str(signature), str(body)]


def signature_holds(status: str) -> bool:
    """Whether gpgv's status lines show a good signature and no bad one; signatures by unknown keys don't count.

    Debian signs with its present and its previous key, so one that the keyring lacks is no fault.
    """
    words = [line.split()[1] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    refused = {"BADSIG", "EXPSIG", "REVKEYSIG", "EXPKEYSIG"}
    return "VALIDSIG" in words and "GOODSIG" in words and not refused & set(words)


def split_clear_signed(text: str) -> tuple[str, str] | None:
    """The signed text and its signature, of a file that is one cleartext-signed message (RFC 9580, section 7); None
    where it is anything else. The text's last line break belongs to the signature, and a line's `- ` is no part of it.
    """
    head, _, rest = text.partition("\n\n")
    body, _, signature = rest.partition(f"\n{_SIGNATURE}")
    is_message = f"{head}\n".startswith(_MESSAGE) and all(line.startswith("Hash: ") for line in head.splitlines()[1:])
    if not is_message or not signature.rstrip("\n").endswith(_END) or signature.count("-----") != 2:
        return None
    lines = body.split("\n")
    if any(line.startswith("-") and not line.startswith("- ") for line in lines):
        return None
    return "\n".join(line.removeprefix("- ") for line in lines), _SIGNATURE + signature
