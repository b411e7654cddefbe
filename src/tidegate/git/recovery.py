"""What a git that was killed leaves behind: lock files and half-received objects. Without this, a lock that nobody
holds refuses every later push.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

SETTLE_SECONDS = 2.0


def leftovers(path: Path) -> Iterator[Path]:
    """Locks of refs, HEAD, config and packed refs; objects received but never moved to their place; crash reports."""
    yield from path.glob("*.lock")
    yield from (path / "refs").rglob("*.lock")
    yield from path.glob("objects/tmp_objdir-*")
    yield from path.glob("objects/incoming-*")
    yield from path.glob("objects/pack/tmp_*")
    yield from path.glob("objects/??/tmp_obj_*")
    yield from path.glob("fast_import_crash_*")


async def recover(path: Path) -> list[str]:
    """Remove the leftovers that stay for SETTLE_SECONDS: a child of the killed server may still be at its last one."""
    found = {item: _changed(item) for item in await asyncio.to_thread(lambda: list(leftovers(path)))}
    if not found:
        return []
    youngest = max(found.values())
    await asyncio.sleep(max(0.0, min(SETTLE_SECONDS, youngest + SETTLE_SECONDS - time.time())))
    removed = []
    for item, changed in found.items():
        if _changed(item) != changed or not changed:
            continue
        if item.is_dir():
            await asyncio.to_thread(shutil.rmtree, item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)
        removed.append(item.relative_to(path).as_posix())
    return removed


def _changed(item: Path) -> float:
    try:
        return item.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
