"""A layer that another program wrote, made one of ours: nothing of when and by whom it was written. Streams."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.oci.layers import Layer, LayerWriter

ENTRY_LIMIT = 1_000_000
_KEPT = ("SCHILY.xattr.security.capability",)

Wanted = Callable[[tarfile.TarInfo], bool]
"""Whether the layer keeps an entry; its name has no slash in front."""


def rewrite_layer(source: Path, target: Path, *, mtime: int, level: int, wanted: Wanted) -> Layer | None:
    """Write the layer `source` again as the file `target`: times set, names of users and foreign records dropped, order
    kept; None where nothing of it is left. Blocks. Raises InvalidInput on a broken layer, LimitExceeded.
    """
    count = 0
    with LayerWriter(target, level) as writer:
        try:
            with tarfile.open(source, "r|*") as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # a stream is never rewound
                    member.name = member.name.strip("/").removeprefix("./")
                    if not wanted(member):
                        continue
                    count += 1
                    if count > ENTRY_LIMIT:
                        raise LimitExceeded(f"the layer has more than {ENTRY_LIMIT} entries")
                    writer.add(_anonymous(member, mtime), tar.extractfile(member) if member.isreg() else None)
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError) as error:
            raise InvalidInput(f"the layer {source.name} is broken: {error}") from error
        return writer.finish() if count else None


def _anonymous(member: tarfile.TarInfo, mtime: int) -> tarfile.TarInfo:
    member.mtime, member.mode = mtime, member.mode & 0o7777
    member.uname = member.gname = ""
    member.pax_headers = {name: text for name, text in member.pax_headers.items() if name in _KEPT}
    return member
