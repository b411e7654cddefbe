"""What counts as signed by Debian."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.base.errors import MissingTool
from tidegate.build.debian.signature import gpgv_argv, signature_holds, split_clear_signed, sqv_argv, verify

GOOD = "[GNUPG:] GOODSIG 54404762BBB6E853 Debian\n[GNUPG:] VALIDSIG ED541312\n"
HEAD = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n"


def test_the_command_checks_and_writes_only_what_is_signed() -> None:
    assert gpgv_argv(Path("/k.gpg"), Path("/in"), Path("/out")) == [
        "gpgv", "--status-fd", "1", "--keyring", "/k.gpg", "--output", "/out", "/in",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "holds"),
    [
        (GOOD, True),
        (GOOD + "[GNUPG:] ERRSIG 1 2 3\n[GNUPG:] NO_PUBKEY 1\n", True),
        (GOOD + "[GNUPG:] BADSIG 1 x\n", False),
        ("[GNUPG:] EXPKEYSIG 1 x\n[GNUPG:] VALIDSIG 1\n", False),
        ("[GNUPG:] ERRSIG 1\n[GNUPG:] NO_PUBKEY 1\n", False),
        ("GOODSIG VALIDSIG\n", False),
        ("", False),
    ],
)
def test_one_good_signature_and_no_bad_one_is_needed(status: str, holds: bool) -> None:
    assert signature_holds(status) is holds


def test_sqv_is_given_no_file_as_an_option() -> None:
    assert sqv_argv(Path("/k.gpg"), Path("/sig"), Path("/body")) == [
        "sqv",
        "--keyring",
        "/k.gpg",
        "--",
        "/sig",
        "/body",
    ]


def test_a_signed_message_is_taken_apart() -> None:
    assert split_clear_signed(f"{HEAD}Origin: Debian\n- -x\n{SIGNATURE}") == ("Origin: Debian\n-x", SIGNATURE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Origin: Debian\n",
        SIGNATURE,
        f"Origin: Debian\n\n{HEAD}a\n{SIGNATURE}",
        f"{HEAD.replace('Hash', 'Comment')}a\n{SIGNATURE}",
        f"{HEAD}a\n-b\n{SIGNATURE}",
        f"{HEAD}a\n{SIGNATURE}Origin: Debian\n",
        f"{HEAD}a\n{SIGNATURE}{HEAD}b\n{SIGNATURE}",
        f"{HEAD}a\n-----BEGIN PGP SIGNATURE-----\n\niQIz\n",
    ],
)
def test_what_is_not_one_signed_message_is_refused(text: str) -> None:
    assert split_clear_signed(text) is None


async def test_missing_keys_name_the_package_that_brings_them(tmp_path: Path) -> None:
    with pytest.raises(MissingTool) as raised:
        await verify(b"", where="http://m", keyrings=[tmp_path / "none.gpg"])
    assert "apt-get install debian-archive-keyring" in (raised.value.remedy or "")
