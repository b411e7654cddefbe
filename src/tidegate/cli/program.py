"""How this command was called, so that what people are told to run can be run as it stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """`tidegate` where the PATH has this one, else where it lies, as short as it can be said from here."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m tidegate"
    found = shutil.which(called.name)
    if found is not None and Path(found).resolve() == called.resolve():
        return called.name
    return shlex.quote(short(called.absolute()))


def short(path: Path) -> str:
    """A path as seen from the working folder, where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
