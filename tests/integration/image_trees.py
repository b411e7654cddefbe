"""What is in an image, file by file, as it lies on a disk: to compare what different builders made of a Dockerfile."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from tidegate.oci.unpack import Faithful, LayerFile, remove_tree, unpack_image
from tidegate.oci.values import ImageConfig, Manifest

BlobPath = Callable[[str], Path]
Row = tuple[str, int, int, int, str, str]
"""Kind, mode, uid, gid, digest of the content or a link's text, and the first path that shares the file."""


def rows(blob_path: BlobPath, digest: str, scratch: Path) -> dict[str, Row]:
    """The files of the image with that manifest, by path. Only root can give files their owners."""
    manifest = Manifest.from_bytes(blob_path(digest).read_bytes())
    config = ImageConfig.from_bytes(blob_path(manifest.config.digest).read_bytes())
    pairs = zip(manifest.layers, config.diff_ids, strict=True)
    layers = [LayerFile(blob_path(layer.digest), diff_id) for layer, diff_id in pairs]
    root = scratch / digest.removeprefix("sha256:")[:16]
    unpack_image(layers, root, chown=lambda uid, gid: (uid, gid), faithful=Faithful())
    try:
        return read_tree(root)
    finally:
        remove_tree(root)


def read_tree(root: Path) -> dict[str, Row]:
    """The files below a folder."""
    found: dict[str, Row] = {}
    shared: dict[int, str] = {}
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = Path(folder, name)
            status = path.lstat()
            inside = path.relative_to(root).as_posix()
            first = shared.setdefault(status.st_ino, inside) if stat.S_ISREG(status.st_mode) else ""
            found[inside] = (
                stat.filemode(status.st_mode)[0],
                0 if path.is_symlink() else stat.S_IMODE(status.st_mode),
                status.st_uid,
                status.st_gid,
                _content(path),
                first if first != inside else "",
            )
    return found


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
