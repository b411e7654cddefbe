"""The signed index: what it says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.debian.release import IndexFile, parse_release

TEXT = f"""\
Origin: Debian
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
MD5Sum:
 0ed6d4c8891eb86358b94bb35d9e4da4 1 main/binary-armhf/Packages.xz
SHA256:
 {"a" * 64}     8505644 main/binary-armhf/Packages.xz
 {"b" * 64} 12 main/binary-armhf/Release
"""


def test_a_release_gives_dates_and_sha256_files_only() -> None:
    release = parse_release(TEXT)
    assert release.date == datetime(2026, 7, 11, 10, 16, 37, tzinfo=UTC)
    assert release.valid_until == datetime(2026, 7, 18, 10, 16, 37, tzinfo=UTC)
    assert release.by_hash
    assert release.packages("main", "armhf") == IndexFile("main/binary-armhf/Packages.xz", "a" * 64, 8505644)


def test_an_architecture_that_the_suite_lacks_is_named() -> None:
    with pytest.raises(InvalidInput, match="no packages for riscv64"):
        parse_release(TEXT).packages("main", "riscv64")


@pytest.mark.parametrize("missing", ["Date", "Codename", "SHA256"])
def test_a_release_without_what_counts_is_refused(missing: str) -> None:
    with pytest.raises(InvalidInput, match="can't be used"):
        parse_release(TEXT.replace(f"{missing}:", "X:"))
