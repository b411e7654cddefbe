"""Both programs that Debian has for it judge the real index alike."""

from __future__ import annotations

import contextlib
import os
import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from needed import need, need_debian_keys

from tidegate.base.errors import InvalidInput
from tidegate.base.http import tls_context
from tidegate.build.debian.release import parse_release
from tidegate.build.debian.signature import verify
from tidegate.build.debian.sources import choose_mirrors, machine_sources

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def in_release() -> bytes:
    need_debian_keys()
    archive = choose_mirrors(machine_sources(), "bookworm").archive
    with urllib.request.urlopen(
        f"{archive}/dists/bookworm/InRelease", timeout=60, context=tls_context(os.environ)
    ) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("program", ["gpgv", "sqv"])
async def test_what_debian_signed_is_believed_and_nothing_else(
    in_release: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (tmp_path / program).symlink_to(need(program))
    monkeypatch.setenv("PATH", str(tmp_path))
    text = await verify(in_release, where="http://m")
    assert parse_release(text).codename == "bookworm"
    assert text in in_release.decode()
    for changed in (in_release.replace(b"Origin: Debian", b"Origin: debian"), b""):
        with pytest.raises(InvalidInput, match="no valid signature"):
            await verify(changed, where="http://m")
    with contextlib.suppress(InvalidInput):  # gpgv passes over what stands outside
        assert await verify(in_release + b"Origin: somebody\n", where="http://m") == text
