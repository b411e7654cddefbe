"""Has work on a job's files done inside its place, as the job's own user: finding, packing, unpacking.

The server itself never follows a path of a job's, nor reads an archive that a job made.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.runner.folder import give_away
from tidegate.runner.layout import TEMP
from tidegate.runner.place import Program, interpreter
from tidegate.runner.workbench import Workbench

SCRIPT = Path(__file__).parent / "errand_script.py"
_LAST_LINES = 20


async def errand(bench: Workbench, do: str, **request: Any) -> Mapping[str, Any]:
    """Have one errand of the script done; its answer. Raises InvalidInput with what it says, where it can't."""
    path = f"{TEMP}/errand-{secrets.token_hex(8)}.json"
    bench.folder.write(path, json.dumps({"do": do, **request}).encode())
    written: list[str] = []

    async def keep(lines: Sequence[str]) -> None:
        written.extend(lines)
        del written[:-_LAST_LINES]

    argv = (str(interpreter()), "-I", "-S", "-c", _script(), bench.layout.inside(path))
    try:
        code = await bench.run(Program(argv, bench.environment(), bench.layout.home), keep)
    finally:
        bench.folder.delete(path)
    answer = _answer(written)
    if answer is None:
        said = " ".join(line.strip() for line in written if line.strip())[-500:]
        raise InvalidInput(f"the files of the job can't be worked on: it ended with {code}: {said}")
    if "error" in answer:
        raise InvalidInput(f"the files of the job can't be worked on: {answer['error']}")
    return answer


@asynccontextmanager
async def brought(bench: Workbench, copy: Callable[[Path], None]) -> AsyncIterator[str]:
    """A file of the server's in the job's place while the block lasts, by the path at which the job sees it. `copy`
    makes it out of the job's sight.
    """
    staged = bench.layout.staging / f"out-{secrets.token_hex(8)}"
    try:
        await asyncio.to_thread(copy, staged)
        await asyncio.to_thread(give_away, staged, bench.owner)
        taken = await asyncio.to_thread(bench.folder.take_in, staged, TEMP)
    finally:
        await asyncio.to_thread(staged.unlink, missing_ok=True)
    try:
        yield bench.layout.inside(taken)
    finally:
        await asyncio.to_thread(bench.folder.delete, taken)


def expanded(bench: Workbench, path: str) -> str:
    """A folder that a workflow names, as the job sees it: `~` is its home, a relative one lies in the workspace."""
    if path == "~" or path.startswith("~/"):
        path = bench.layout.home + path[1:]
    return posixpath.normpath(posixpath.join(bench.layout.workspace, path))


def _answer(written: Sequence[str]) -> Mapping[str, Any] | None:
    try:
        value = json.loads(written[-1]) if written else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@cache
def _script() -> str:
    return SCRIPT.read_text("utf-8")
