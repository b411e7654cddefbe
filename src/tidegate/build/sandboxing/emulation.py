"""What runs another machine's programs: qemu's static emulators, and how the kernel is told of them (binfmt_misc).

Where the kernel has a table for each user namespace (Linux 6.7), a sandbox gets handlers of its own and the machine
stays as it is. An older kernel has one table, into which the distribution's package has to enter its handlers.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from pathlib import Path
from typing import Literal

from tidegate.base.errors import MissingTool
from tidegate.base.frozen import frozen
from tidegate.kinds.platform import Platform

PACKAGE = "qemu-user-static"
INSIDE = "/dev/.emulators"
"""Where the emulators are in a sandbox: in its own /dev, so that no layer ever has them."""
TABLE = Path("/proc/sys/fs/binfmt_misc")
OWN_TABLES_SINCE = (6, 7)
_PER_LINUX, _PER_LINUX32 = 0x0000, 0x0008
_MACHINES = {"arm": 40, "arm64": 183, "amd64": 62, "386": 3, "riscv64": 243, "ppc64le": 21, "s390x": 22}
_PROGRAMS = {
    "arm": "qemu-arm", "arm64": "qemu-aarch64", "amd64": "qemu-x86_64", "386": "qemu-i386", "riscv64": "qemu-riscv64",
    "ppc64le": "qemu-ppc64le", "s390x": "qemu-s390x",
}  # fmt: skip
_SMALL = ("arm", "386")  # ELF files of 32 bits
_BIG_ENDIAN = ("s390x",)


@frozen
class Emulator:
    """One emulator: the program on this machine, and what it runs."""

    program: Path
    architecture: str

    @property
    def inside(self) -> str:
        """Where the program is in a sandbox."""
        return f"{INSIDE}/{self.program.name}"

    def line(self, program: str | None = None) -> str:
        """Its line for binfmt_misc's `register`, for a sandbox, or for wherever `program` is."""
        return register_line(self.architecture, _PROGRAMS[self.architecture], program or self.inside)


def runs_natively(platform: Platform, machine: Platform) -> bool:
    """Whether this machine's processor runs the platform's programs itself."""
    if platform.architecture == machine.architecture:
        return True
    if (platform.architecture, machine.architecture) == ("386", "amd64"):
        return True
    return (platform.architecture, machine.architecture) == ("arm", "arm64") and _has_32_bits()


def _has_32_bits() -> bool:
    """Not every 64-bit ARM has the 32-bit instructions; the kernel lets a process take that personality if so."""
    libc = ctypes.CDLL(None, use_errno=True)
    can = libc.personality(_PER_LINUX32) >= 0
    libc.personality(_PER_LINUX)
    return bool(can)


def emulator_for(
    platform: Platform, machine: Platform, *, release: str | None = None, path: str | None = None, table: Path = TABLE
) -> Emulator | None:
    """What a sandbox needs to run the platform's programs; None where it needs nothing. Raises MissingTool.

    `release` is the kernel's, `path` stands for PATH, `table` is where the machine's own handlers are.
    """
    if runs_natively(platform, machine) or has_handler(platform, table):
        return None
    name = _PROGRAMS.get(platform.architecture)
    if name is None:
        raise MissingTool(f"no emulator is known here for {platform}", remedy="build it on a machine of that kind")
    program = shutil.which(f"{name}-static", path=path)
    missing = f"nothing on this {machine} machine runs programs of {platform}"
    if program is None:
        raise MissingTool(f"{missing}: {name}-static is not installed", remedy=f"install it: apt-get install {PACKAGE}")
    if kernel_version(os.uname().release if release is None else release) < OWN_TABLES_SINCE:
        remedy = f"have the machine's handlers entered: apt-get install {PACKAGE} binfmt-support (a kernel from 6.7 on "
        raise MissingTool(f"{missing}: binfmt_misc has no handler for them", remedy=f"{remedy}needs none)")
    return Emulator(Path(program).resolve(), platform.architecture)


def has_handler(platform: Platform, table: Path = TABLE) -> bool:
    """Whether the machine's own table has an enabled handler that needs no file inside of a sandbox (flag F)."""
    wanted = f"magic {magic(platform.architecture).hex()}"[:-2] if platform.architecture in _MACHINES else None
    try:
        entries = [path for path in table.iterdir() if path.name not in ("register", "status")]
        texts = [path.read_text().splitlines() for path in entries]
    except OSError:
        return False
    return any(
        wanted is not None
        and lines[:1] == ["enabled"]
        and any(line.startswith("flags:") and "F" in line for line in lines)
        and any(line.startswith(wanted) for line in lines)
        for lines in texts
    )


def magic(architecture: str) -> bytes:
    """The first twenty bytes of an architecture's ELF executables."""
    big = architecture in _BIG_ENDIAN
    order: Literal["big", "little"] = "big" if big else "little"
    head = b"\x7fELF" + bytes((1 if architecture in _SMALL else 2, 2 if big else 1, 1)) + bytes(9)
    return head + (2).to_bytes(2, order) + _MACHINES[architecture].to_bytes(2, order)


def register_line(architecture: str, name: str, program: str) -> str:
    """What is written to binfmt_misc's `register`. The operating system's byte and executable or shared object are left
    open; F has the kernel hold the program open, so that it is found whatever the root is.
    """
    big = architecture in _BIG_ENDIAN
    kind = b"\xff\xfe" if big else b"\xfe\xff"
    mask = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + kind + b"\xff\xff"
    return f":{name}:M::{_escaped(magic(architecture))}:{_escaped(mask)}:{program}:PF"


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def kernel_version(release: str) -> tuple[int, int]:
    """Major and minor of `6.18.44-fc`; (0, 0) where it has no such form."""
    found = re.match(r"([0-9]+)\.([0-9]+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
