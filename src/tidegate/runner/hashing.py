"""hashFiles: one hash of the workspace's files that patterns mean. The job owns these files, so no symlink is followed,
and there is a bound on how much is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.engine.clock import Clock
from tidegate.runner.folder import JobFolder
from tidegate.runner.layout import Layout
from tidegate.workflow.expressions import Function, Value, text_of
from tidegate.workflow.file_patterns import FilePattern, file_patterns, is_meant

TIME_LIMIT = 120.0
"""Seconds, as GitHub gives it."""
CHUNK = 1 << 20


def hash_files(folder: JobFolder, layout: Layout, clock: Clock) -> Function:
    """The function, for one job. Reads in the calling thread."""

    def call(arguments: Sequence[Value]) -> Value:
        patterns = file_patterns((text_of(argument) for argument in arguments), layout.workspace)
        return _hash(folder, layout.relative(layout.workspace), patterns, clock)

    return Function(1, 255, call)


def _hash(folder: JobFolder, root: str, patterns: Sequence[FilePattern], clock: Clock) -> str:
    """SHA-256 of the files' SHA-256 in their order, in hexadecimal; empty where there is no file."""
    until = clock.monotonic() + TIME_LIMIT
    whole, count = hashlib.sha256(), 0

    def in_time() -> None:
        if clock.monotonic() > until:
            raise LimitExceeded(f"hashFiles took longer than {TIME_LIMIT:g} seconds", remedy="name fewer files")

    def may_hold(way: Sequence[str]) -> bool:
        in_time()
        return any(not one.negated and one.may_hold(way) for one in patterns)

    for way in folder.files(root, may_hold):
        if not is_meant(way, patterns):
            continue
        own = hashlib.sha256()
        try:
            with folder.open("/".join([root, *way])) as file:
                while chunk := file.read(CHUNK):
                    in_time()
                    own.update(chunk)
        except (NotFound, InvalidInput):
            continue  # it went away, or became something else, meanwhile
        whole.update(own.digest())
        count += 1
    return whole.hexdigest() if count else ""
