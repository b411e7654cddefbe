"""File capabilities (capabilities(7)) as a layer holds them and as a disk does, where another user is an image's root.

A layer has the form without an owner (revision 2). On disk, a file of a user namespace needs the one that names the
namespace's root (revision 3), or the kernel takes no notice of it there.
"""

from __future__ import annotations

import struct

CAPABILITY = "security.capability"
CAPABILITY_RECORD = f"SCHILY.xattr.{CAPABILITY}"
_REVISION_MASK, _REVISION_2, _REVISION_3 = 0xFF000000, 0x02000000, 0x03000000
_SIZE_2, _SIZE_3 = 20, 24


def capability_on_disk(value: bytes, first_id: int) -> bytes:
    """A layer's value for a disk on which the image's root is the user `first_id`."""
    magic = _magic(value)
    if not first_id or len(value) != _SIZE_2 or magic & _REVISION_MASK != _REVISION_2:
        return value
    return struct.pack("<I", magic & ~_REVISION_MASK | _REVISION_3) + value[4:] + struct.pack("<I", first_id)


def capability_in_layer(value: bytes) -> bytes:
    """A disk's value for a layer: without the user that it counts for."""
    magic = _magic(value)
    if len(value) != _SIZE_3 or magic & _REVISION_MASK != _REVISION_3:
        return value
    return struct.pack("<I", magic & ~_REVISION_MASK | _REVISION_2) + value[4:_SIZE_2]


def _magic(value: bytes) -> int:
    return int(struct.unpack("<I", value[:4])[0]) if len(value) >= 4 else 0
