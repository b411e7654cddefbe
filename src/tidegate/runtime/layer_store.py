"""Image layers unpacked once each, and which of them, on top of each other, make an image's root file system.

Blocks; runs in a child (`python -m tidegate.runtime.layer_store`, a request as JSON on stdin), so that unpacking takes
neither the server's memory nor its time.

A layer lies in a folder of its own, which overlayfs stacks. Where that would give another tree than unpacking one over
the other (a layer that removes something, or that goes through a link of a lower one), all up to it are unpacked
together into one folder.
"""

from __future__ import annotations

import gzip
import json
import os
import stat
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tidegate.base.errors import AlreadyExists, InvalidInput, TidegateError
from tidegate.oci.layers import WHITEOUT_PREFIX
from tidegate.oci.unpack import LayerFile, unpack_image
from tidegate.runtime.layers import FOLDER, Owners, chain_id, short


def stack(root: Path, layers: Sequence[LayerFile], owners: Owners) -> list[str]:
    """Make the image's layers ready below `root`; the folders' names there, the topmost first.

    A layer whose folder is there is not read, so its blob may be missing. Raises what `unpack_image` does.
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for count, layer in enumerate(layers, start=1):
        assert layer.diff_id is not None
        flat = "c" + short(chain_id([below.diff_id or "" for below in layers[:count]]))
        if (folder / flat).exists():
            names = [flat]
            continue
        name = short(layer.diff_id)
        if not (folder / name).exists() and (count == 1 or not has_whiteouts(layer.path)):
            _unpack([layer], folder / name, owners)
        if (folder / name).exists() and not crosses_link(folder / name, [folder / lower for lower in names]):
            names = [name, *names]
            continue
        _unpack(layers[:count], folder / flat, owners)
        names = [flat]
    return names


def _unpack(layers: Sequence[LayerFile], target: Path, owners: Owners) -> None:
    for layer in layers:
        if not layer.path.exists():
            raise InvalidInput(f"the layer {layer.diff_id} was not fetched", code="LayerMissing")
    try:
        unpack_image(layers, target, chown=owners.chown())
    except AlreadyExists:
        return


def has_whiteouts(path: Path) -> bool:
    """Whether a layer removes something of those below it."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if packed else file
        try:
            with tarfile.open(fileobj=source, mode="r|") as tar:
                while (member := tar.next()) is not None:
                    if member.name.rpartition("/")[2].startswith(WHITEOUT_PREFIX):
                        return True
                    tar.members = []  # type: ignore[attr-defined]
        except (tarfile.TarError, OSError, EOFError) as error:
            raise InvalidInput(f"the layer {path.name} is broken: {error}") from error
    return False


def crosses_link(layer: Path, lower: Sequence[Path]) -> bool:
    """Whether a folder of `layer` is a link, or no folder at all, in a layer below: stacked it would hide that."""
    for path, names, _ in os.walk(layer):
        inner = Path(path).relative_to(layer)
        for name in names:
            if (Path(path) / name).is_symlink():
                continue
            if any(_is_other(below / inner / name) for below in lower):
                return True
    return False


def _is_other(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def main() -> int:
    """The child: `{"root", "base", "nobody", "layers": [[path, diff_id]]}` in, `{"layers": […]}` or an error out."""
    request = json.load(sys.stdin)
    layers = [LayerFile(Path(path), diff_id) for path, diff_id in request["layers"]]
    try:
        names = stack(Path(request["root"]), layers, Owners(request["base"], request["nobody"]))
    except TidegateError as error:
        json.dump({"error": {"code": error.code, "message": error.message}}, sys.stdout)
        return 0
    json.dump({"layers": names}, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
