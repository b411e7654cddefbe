"""A fresh clone on a machine with the base system, git, make and the system's Python alone: for tests of `make`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from needed import need, need_debian_keys

from tidegate.base.process import NETWORK_VARIABLES

SOURCE = Path(__file__).parents[2]
TIMEOUT = 1200
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Debian marks what its base system is; apt brings gpgv there.
ADDED = ("git", "make", "python3", "gpgv")
INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
EMPTIED = 'mount -t tmpfs -o mode=755 none "$0" && exec "$@"'

Run = Callable[[list[str], dict[str, str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Ran:
    """How a `make demo` ended, and the folder that it kept."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """The demonstration's document."""
        assert self.code == 0, f"make demo ended with {self.code}:\n{self.stderr[-6000:]}"
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@dataclass(frozen=True)
class FreshMachine:
    """A clone of this source as it is now, an empty home, and a PATH with nothing beside the base system."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> FreshMachine:
        """Lay it out in `folder`, which is empty."""
        machine = cls(folder)
        (folder / "home").mkdir()
        _link_base_system(folder / "bin")
        _clone(folder / "clone")
        return machine

    @property
    def path(self) -> str:
        """Its PATH."""
        return str(self.folder / "bin")

    def give_to(self, user: int) -> None:
        """Make everything an ordinary user's own."""
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)

    def demo(self, settings: Mapping[str, str], run: Run | None = None) -> Ran:
        """`make demo` with PATH, HOME and `settings` as its whole environment; `run` starts it, perhaps elsewhere."""
        kept = self.folder / "demo"
        argv = ["make", "-s", "-C", str(self.folder / "clone"), "demo", f"ARGS=--json --dir {kept}"]
        environment = {"PATH": self.path, "HOME": str(self.folder / "home"), **settings}
        done = (run or run_here)(argv, environment)
        return Ran(done.returncode, done.stdout, done.stderr, kept)


def run_here(argv: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def run_as(user: int) -> Run:
    """Run a command as an ordinary user, on a Debian without ensurepip. Needs root."""

    def run(argv: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        change = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return run_here([*_without_ensurepip(), *change, *argv], environment)

    return run


def host_settings() -> dict[str, str]:
    """What this machine itself needs to reach its network."""
    return {name: os.environ[name] for name in (*NETWORK_VARIABLES, *INDEX_VARIABLES) if name in os.environ}


def _without_ensurepip() -> list[str]:
    """What goes before a command so that it sees none: Debian has it in a package of its own, python3-venv."""
    code = (
        "import importlib.util as u; s = u.find_spec('ensurepip'); print(s.submodule_search_locations[0] if s else '')"
    )
    found = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    folder = found.stdout.strip()
    return ["unshare", "--mount", "sh", "-c", EMPTIED, folder] if folder else []


def _link_base_system(folder: Path) -> None:
    """Links to the programs of the essential and required packages, and to what the README asks for."""
    need("dpkg-query", "dpkg")  # it knows which programs the base system has
    need_debian_keys()
    listed = _output("dpkg-query", "--show", "--showformat=${Package} ${Essential} ${Priority}\n")
    rows = [line.split() for line in listed.splitlines()]
    packages = [row[0] for row in rows if row[1] == "yes" or row[-1] == "required"]
    files = {Path(line) for line in _output("dpkg-query", "--listfiles", *packages).splitlines()}
    folder.mkdir()
    for program in files:
        if str(program.parent) in SYSTEM_PATH.split(":") and program.exists():
            (folder / program.name).unlink(missing_ok=True)
            (folder / program.name).symlink_to(program)
    for name in ADDED:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(need(name, path=SYSTEM_PATH))


def _clone(folder: Path) -> None:
    """Every file that a commit of this working tree would have."""
    listed = ["git", "-c", "safe.directory=*", "-C", str(SOURCE), "ls-files", "-z", "--cached", "--others"]
    if not (SOURCE / ".git").exists():
        pytest.skip("this source is no clone, so git can't say what belongs to it")
    for name in _output(*listed, "--exclude-standard").split("\0"):
        if name and (SOURCE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / name, folder / name)


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
