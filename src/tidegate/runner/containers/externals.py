"""This machine's Python in a container of any image, for the agent alone: its own loader and libraries beside it, so
that nothing of the image is needed, not even a shell. Programs that the agent starts get nothing of it.
"""

from __future__ import annotations

import struct
import subprocess
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tidegate.base.errors import Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.process import minimal_environment
from tidegate.runner.place import AGENT, interpreter

FOLDER = "/__e"  # where GitHub's runner brings its own programs, too
LOADER = f"{FOLDER}/loader"
AGENT_THERE = f"{FOLDER}/agent.py"
LIST_TIMEOUT = 20.0
_INTERPRETER = 3  # PT_INTERP of elf(5)


@frozen
class Externals:
    """Files and folders of this machine, each with its place in the container, and the command that starts the agent.
    All are read-only there.
    """

    mounts: tuple[tuple[Path, str], ...]
    command: tuple[str, ...]


@cache
def externals() -> Externals:
    """What the agent needs. Blocks for a moment at the first call; Unavailable where it can't be told."""
    python = interpreter()
    loader = Path(loader_of(python.read_bytes()))
    name = f"python{sysconfig.get_python_version()}"
    libraries = [*_libraries(loader, python)]
    mounts = [
        (AGENT, AGENT_THERE),
        (loader.resolve(), LOADER),
        (python, f"{FOLDER}/bin/{name}"),
        (Path(sysconfig.get_path("stdlib")).resolve(), f"{FOLDER}/lib/{name}"),
        *((path.resolve(), f"{FOLDER}/lib/{path.name}") for path in libraries),
    ]
    start = (LOADER, "--library-path", f"{FOLDER}/lib", f"{FOLDER}/bin/{name}", "-I", "-S", AGENT_THERE)
    return Externals(tuple(mounts), start)


def loader_of(program: bytes) -> str:
    """The loader that an ELF program names. Raises Unavailable where it names none."""
    wide = program[4:5] == b"\x02"
    order = "<" if program[5:6] == b"\x01" else ">"
    if program[:4] != b"\x7fELF":
        raise Unavailable("this machine's Python is no ELF program")
    offset = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", program, 32 if wide else 28)[0]
    size, count = struct.unpack_from(f"{order}HH", program, 54 if wide else 42)
    for start in range(offset, offset + size * count, size):
        if struct.unpack_from(f"{order}I", program, start)[0] == _INTERPRETER:
            place = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", program, start + (8 if wide else 4))[0]
            return program[place : program.index(b"\0", place)].decode()
    raise Unavailable("this machine's Python names no loader", remedy="use the system's Python")


def _libraries(loader: Path, python: Path) -> Sequence[Path]:
    try:
        done = subprocess.run(
            [str(loader), "--list", str(python)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=minimal_environment(),
            timeout=LIST_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"this machine's Python can't be brought into a container: {error}") from None
    return libraries_in(done.stdout, loader)


def libraries_in(listing: str, loader: Path) -> Sequence[Path]:
    """The libraries in what the loader lists: `libm.so.6 => /lib/libm.so.6 (0x…)`."""
    found = []
    for line in listing.splitlines():
        _, arrow, path = line.partition(" => ")
        path = path.partition(" (")[0].strip()
        if arrow and path.startswith("/") and Path(path).name != loader.name:
            found.append(Path(path))
    return found
