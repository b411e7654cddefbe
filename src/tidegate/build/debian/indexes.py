"""Reads a suite's package indexes, with its updates and security updates, each verified by the archive's signature."""

from __future__ import annotations

import asyncio
import contextlib
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound, Unavailable
from tidegate.build.debian.fetch import Fetcher, Wanted
from tidegate.build.debian.packages import PackageIndex
from tidegate.build.debian.release import IndexFile, Release, parse_release
from tidegate.build.debian.signature import verify
from tidegate.build.debian.sources import Mirrors
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform

ARCHITECTURES = {
    ("amd64", ""): "amd64", ("arm64", ""): "arm64", ("arm", "v7"): "armhf", ("arm", "v5"): "armel", ("386", ""): "i386",
    ("ppc64le", ""): "ppc64el", ("s390x", ""): "s390x", ("riscv64", ""): "riscv64",
}  # fmt: skip
_INDEX_LIMIT = 256 * 1024 * 1024
_ROLLING = frozenset({"sid", "unstable", "experimental"})

Log = Callable[[str], None]


def architecture_of(platform: Platform) -> str:
    """Debian's name for a platform. Raises InvalidInput where Debian has no such port."""
    found = ARCHITECTURES.get((platform.architecture, platform.variant))
    if platform.os != "linux" or found is None:
        raise InvalidInput(f"Debian has no packages for {platform}")
    return found


async def read_indexes(
    suite: str, mirrors: Mirrors, platform: Platform, fetcher: Fetcher, log: Log
) -> list[PackageIndex]:
    """The indexes of `suite` for a platform. Raises InvalidInput, NotFound, Unavailable or MissingTool."""
    architecture = architecture_of(platform)
    log(f"{platform}: reading the package indexes of {suite} from {mirrors.archive}")
    indexes = [await _index(f"{mirrors.archive}/dists/{suite}", mirrors.archive, architecture, fetcher, log)]
    if suite not in _ROLLING:
        for url, origin in (
            (f"{mirrors.archive}/dists/{suite}-updates", mirrors.archive),
            (f"{mirrors.security}/dists/{suite}-security", mirrors.security),
        ):
            try:
                indexes.append(await _index(url, origin, architecture, fetcher, log))
            except (NotFound, Unavailable) as error:
                log(f"{platform}: without {url.rpartition('/')[2]}, which this mirror does not serve: {error}")
    return indexes


async def _index(url: str, origin: str, architecture: str, fetcher: Fetcher, log: Log) -> PackageIndex:
    text = await verify(await fetcher.text(f"{url}/InRelease"), where=url)
    release = parse_release(text)
    if release.valid_until is not None and release.valid_until < datetime.now(UTC):
        log(f"{url} is signed, but lapsed on {rfc3339(release.valid_until)}: the mirror may be behind")
    file = release.packages("main", architecture)
    path = await _index_file(url, release, file, fetcher)
    return await asyncio.to_thread(lambda: PackageIndex(_plain(path), origin))


async def _index_file(url: str, release: Release, file: IndexFile, fetcher: Fetcher) -> Path:
    """By its hash where the mirror has that, so that an update of the mirror meanwhile does no harm; else by name."""
    by_name = f"{url}/{file.path}"
    if release.by_hash:
        by_hash = f"{by_name.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}"
        with contextlib.suppress(NotFound):
            return await fetcher.file(Wanted(by_hash, file.sha256, file.size))
    return await fetcher.file(Wanted(by_name, file.sha256, file.size))


def _plain(path: Path) -> bytes:
    decompressor = lzma.LZMADecompressor()
    data = decompressor.decompress(path.read_bytes(), _INDEX_LIMIT)
    if not decompressor.eof:
        raise LimitExceeded(f"a package index is larger than {_INDEX_LIMIT} bytes")
    return data
