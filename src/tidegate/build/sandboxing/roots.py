"""The files of a stage on disk, as overlayfs stacks them: the base's layers as one folder, each further one as its own.

Folders are named by what is in them and in those below, so that stages, platforms and builds with the same beginning
share it. They lie in the build's cache; whoever uses one holds a lock on it, which its eviction asks for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate.base.errors import AlreadyExists, InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.sandboxing.users import Users
from tidegate.oci.unpack import Faithful, LayerFile, unpack_image

FOLDER = "roots"
LAYERS_LIMIT = 80
"""Folders that overlayfs is given: its options have one page, and each has a name of 36 characters."""


@frozen
class Stack:
    """Folders below `base`, the topmost first, and the chain that they are."""

    base: Path
    names: tuple[str, ...]
    chain: str


def chain_of(diff_ids: Sequence[str]) -> str:
    """The OCI ChainID of layers, the lowest first; of none, the empty text."""
    chain = ""
    for diff_id in diff_ids:
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}" if chain else diff_id
    return chain


class Roots:
    """Stacks of one cache. For several threads and processes at once."""

    def __init__(self, cache: Path, users: Users):
        self.folder = cache / FOLDER / ("own" if users.range.base == 0 else "root")
        self._users = users

    def name(self, chain: str, *, flat: bool) -> str:
        """The folder of a chain's top layer, or of all of it. Of another range of users it would be another."""
        text = f"{chain} {self._users.range.base}"
        return ("f" if flat else "s") + hashlib.sha256(text.encode()).hexdigest()[:23]

    @contextlib.contextmanager
    def stack(self, layers: Sequence[LayerFile], base: int) -> Iterator[Stack]:
        """Make what is missing of `layers`, of which the first `base` are one folder, and keep it while it is used.

        Blocks. Raises what `unpack_image` does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        base = max(base, len(layers) - LAYERS_LIMIT)
        diff_ids = [_known(layer) for layer in layers]
        names: list[str] = []
        with contextlib.ExitStack() as held:
            for count in (*([base] if base else []), *range(base + 1, len(layers) + 1)):
                name = self.name(chain_of(diff_ids[:count]), flat=count == base)
                held.enter_context(self._made(name, layers[:count], names, flat=count == base))
                names = [name, *names]
            if not names:
                name = self.name("", flat=True)
                held.enter_context(self._made(name, (), names, flat=True))
                names = [name]
            yield Stack(self.folder, tuple(names), chain_of(diff_ids))

    @contextlib.contextmanager
    def _made(self, name: str, layers: Sequence[LayerFile], below: Sequence[str], *, flat: bool) -> Iterator[None]:
        """The folder's lock is a file beside it: shared while it is used, exclusive while it is made or removed."""
        path = self.folder / name
        descriptor = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not path.exists():
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._make(path, layers, below, flat=flat)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.utime(descriptor)  # when it was last used
            yield
        finally:
            os.close(descriptor)

    def _make(self, path: Path, layers: Sequence[LayerFile], below: Sequence[str], *, flat: bool) -> None:
        users = self._users
        if flat:
            faithful = Faithful(first_id=users.range.base)
        else:
            lower = tuple(self.folder / name for name in below)
            faithful = Faithful(users.attributes, lower, users.range.base)
            layers = layers[-1:]
        with contextlib.suppress(AlreadyExists):
            unpack_image(layers, path, chown=users.chown, faithful=faithful)

    def adopt(self, path: Path, chain: str) -> None:
        """Keep a layer that a sandbox has just written as the folder of that chain; gone where there is one already."""
        target = self.folder / self.name(chain, flat=False)
        if not target.exists():
            with contextlib.suppress(OSError):  # somebody else was first
                path.rename(target)


def _known(layer: LayerFile) -> str:
    if layer.diff_id is None:
        raise InvalidInput(f"the layer {layer.path.name} has no diff_id")
    return layer.diff_id
