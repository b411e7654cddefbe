"""What a test needs of the machine beside the base system: where it is missing, the reason names the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tidegate.build.debian.signature import KEYRINGS


def need(program: str, package: str | None = None, *, path: str | None = None) -> Path:
    """Where a program is; skips where it is not installed. `path` stands for PATH."""
    found = shutil.which(program, path=path)
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {package or program}")
    return Path(found)


def need_false_clock() -> Path:
    """The library that gives a program another time than the machine's; skips where it is not installed."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        pytest.skip("libfaketime is not installed: apt-get install libfaketime")
    return found


def need_debian_keys() -> None:
    """What verifies Debian's packages; skips where it is not installed."""
    if shutil.which("sqv") is None:  # either of them will do
        need("gpgv")
    if not any(keyring.is_file() for keyring in KEYRINGS):
        pytest.skip("Debian's keys are not installed: apt-get install debian-archive-keyring")
