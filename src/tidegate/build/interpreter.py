"""Describes a foreign Python to uv, so that it resolves for that one: markers, wheel tags and folders of the image.

uv asks an interpreter about itself by a script. A stand-in lets this machine's Python answer that script and then puts
the foreign one's facts in place of its own, so that what newer versions of uv ask besides is still answered.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.build.facts import Facts, Python
from tidegate.build.store import key_of, write_whole
from tidegate.kinds.platform import Platform

# OCI's architecture → what uname says there, its word size, and the end of its extension modules' names.
_MACHINES = {
    ("amd64", ""): ("x86_64", "64", "x86_64-linux-gnu"),
    ("arm64", ""): ("aarch64", "64", "aarch64-linux-gnu"),
    ("arm", "v7"): ("armv7l", "32", "arm-linux-gnueabihf"),
    ("arm", "v6"): ("armv6l", "32", "arm-linux-gnueabihf"),
    ("386", ""): ("i686", "32", "i386-linux-gnu"),
    ("ppc64le", ""): ("ppc64le", "64", "powerpc64le-linux-gnu"),
    ("s390x", ""): ("s390x", "64", "s390x-linux-gnu"),
    ("riscv64", ""): ("riscv64", "64", "riscv64-linux-gnu"),
}
_STAND_IN = '''\
"""Answers uv's question about an interpreter for a foreign one: see DESCRIPTION."""
import json, subprocess, sys
DESCRIPTION = json.loads({description!r})
asked = subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE)
try:
    answer = json.loads(asked.stdout)
except ValueError:
    sys.stdout.buffer.write(asked.stdout)
    sys.exit(asked.returncode or 1)
for name, value in DESCRIPTION["replace"].items():
    if name in answer:
        answer[name] = value
answer["markers"].update(DESCRIPTION["markers"])
json.dump(answer, sys.stdout)
sys.exit(asked.returncode)
'''


def machine_of(platform: Platform) -> str:
    """What `platform.machine()` says there. Raises InvalidInput where no wheels are known for the platform."""
    return _machine(platform)[0]


def word_size(platform: Platform) -> int:
    """How many bits a word has there. Raises InvalidInput where no wheels are known for the platform."""
    return int(_machine(platform)[1])


def _machine(platform: Platform) -> tuple[str, str, str]:
    found = _MACHINES.get((platform.architecture, platform.variant))
    if platform.os != "linux" or found is None:
        raise InvalidInput(f"wheels can't be chosen for {platform}")
    return found


def describe(python: Python, facts: Facts, platform: Platform) -> dict[str, Any]:
    """The foreign interpreter's facts in the words of uv's question: what to replace, and the markers (PEP 508)."""
    machine, bits, suffix = _machine(platform)
    major, minor = python.minor.split(".")
    libc = {"glibc": "manylinux", "musl": "musllinux"}.get(facts.libc)
    if libc is None:
        raise InvalidInput(f"the base image for {platform} has a Python, but no C library that wheels are made for")
    prefix = f"/{python.prefix}"
    folders = {
        "purelib": python.packages,
        "platlib": python.packages,
        "include": "include",
        "scripts": python.scripts,
        "data": "",
    }
    return {
        "markers": {
            "implementation_name": "cpython",
            "implementation_version": python.version,
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": python.version,
            "python_version": python.minor,
            "sys_platform": "linux",
        },
        "replace": {
            "sys_prefix": prefix,
            "sys_base_prefix": prefix,
            "sys_base_exec_prefix": prefix,
            "sys_executable": python.executable,
            "sys_base_executable": python.executable,
            "sys_path": [],
            "site_packages": [],
            "stdlib": f"/nonexistent/python{python.minor}",
            "extension_suffixes": [f".cpython-{major}{minor}-{suffix}.so", ".abi3.so", ".so"],
            "standalone": False,
            "scheme": {name: f"{prefix}/{folder}".rstrip("/") for name, folder in folders.items()},
            "virtualenv": folders,
            "os": {"name": libc, "major": facts.libc_version[0], "minor": facts.libc_version[1]},
            "arch": machine,
            "cpu_info": {"unavailable": "a foreign interpreter"},
            "manylinux_compatible": True,
            "pointer_size": bits,
            "gil_disabled": False,
            "debug_enabled": False,
        },
    }


def write_stand_in(folder: Path, description: dict[str, Any]) -> Path:
    """Write the program that uv takes for the described interpreter; the same description gives the same file.

    uv remembers an interpreter by its path and time, so that it is asked only once.
    """
    place = folder / key_of(description | {"host": sys.executable})[:32]
    program, script = place / "python", place / "answer.py"
    if not program.exists():
        write_whole(script, _STAND_IN.format(description=json.dumps(description)).encode())
        command = f'exec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"'
        write_whole(program, f"#!/bin/sh\n{command}\n".encode(), 0o755)
    return program
