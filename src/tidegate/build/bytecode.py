"""Compiles the modules of an image on this machine, so that its first start need not: the same bytes every time.

Bytecode is the same on every processor, but belongs to one minor version of Python: where this machine's is another,
nothing is compiled. The form is PEP 552's checked hash, which needs no time and notices a replaced source.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from tidegate.oci.layers import Entry, EntryKind, directory

SOURCE_LIMIT = 4 * 1024 * 1024
_CHECKED_HASH = (0b11).to_bytes(4, "little")
# Version 2 has no back references, whose bytes depend on what else the process happens to hold.
_MARSHAL_VERSION = 2


def can_compile(minor: str) -> bool:
    """Whether this machine's Python makes bytecode for that version, such as `3.11`."""
    here = sys.version_info
    return sys.implementation.name == "cpython" and here.releaselevel == "final" and f"{here[0]}.{here[1]}" == minor


def compile_module(source: bytes, path: str) -> bytes | None:
    """The content of the `.pyc` for a module at `path` in the image; None where it is no Python of this version."""
    if len(source) > SOURCE_LIMIT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
            data = marshal.dumps(code, _MARSHAL_VERSION)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return None
    return importlib.util.MAGIC_NUMBER + _CHECKED_HASH + importlib.util.source_hash(source) + data


class Compiler:
    """Compiles each module once, however many platforms have it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, bytes], bytes | None] = {}
        self._lock = threading.Lock()

    def entries(self, entries: Iterable[Entry], folder: str) -> Iterator[Entry]:
        """The entries of the `__pycache__` directories that belong to the modules below `folder`. Blocks."""
        tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
        seen: set[str] = set()
        for entry in entries:
            if entry.kind is not EntryKind.FILE or not entry.path.startswith(f"{folder}/"):
                continue
            parent, _, name = entry.path.rpartition("/")
            if not name.endswith(".py") or not name.removesuffix(".py").isidentifier():
                continue
            data = self._compiled(entry)
            if data is None:
                continue
            if parent not in seen:
                seen.add(parent)
                yield directory(f"{parent}/__pycache__")
            name = f"{name.removesuffix('.py')}.{tag}.pyc"
            yield Entry(f"{parent}/__pycache__/{name}", content=data, mtime=entry.mtime)

    def _compiled(self, entry: Entry) -> bytes | None:
        source = entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content
        key = (entry.path, hashlib.sha256(source).digest())
        with self._lock:
            if key not in self._done:
                self._done[key] = compile_module(source, f"/{entry.path}")
            return self._done[key]
