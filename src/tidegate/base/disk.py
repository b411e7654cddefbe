"""What a disk that refuses to be written means, as an error of ours."""

from __future__ import annotations

import errno
from pathlib import Path

from tidegate.base.errors import TidegateError, Unavailable

DISK_FULL = "DiskFull"
"""The code of the error of a disk without room."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: BaseException) -> bool:
    """Whether this is the system's word for a disk without room."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def disk_error(error: OSError, path: Path | None = None) -> TidegateError:
    """What the disk said of a file; `path` where the error itself does not name it."""
    named = path or (Path(str(error.filename)) if error.filename else None)
    if is_full(error):
        place = f"the disk of {named.parent}" if named else "the disk of the home"
        return Unavailable("the disk is full", remedy=f"free some space on {place}", code=DISK_FULL)
    return Unavailable(f"{named or 'a file'} can't be written: {error.strerror}")
