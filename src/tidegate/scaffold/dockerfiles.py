"""The Dockerfile of an application that has none, and the port that one with a Dockerfile says. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from tidegate.base.errors import InvalidInput
from tidegate.scaffold.templates import NODE, PYTHON, REQUIREMENTS, SAMPLE, fill
from tidegate.update.marker_index import is_yaml

DEFAULT_PORT = 8000
STARTS = ("main.py", "app.py", "server.py")
_EXPOSE = re.compile(rb"^\s*EXPOSE\s+([0-9]{1,5})(?:/tcp)?\b", re.MULTILINE | re.IGNORECASE)
_NOT_SOURCE = ("readme.md", "license", "changelog.md", "contributing.md")


def exposed_port(dockerfile: bytes) -> int | None:
    """The first port that an EXPOSE names as a number."""
    found = _EXPOSE.search(dockerfile)
    return int(found[1]) if found and 0 < int(found[1]) < 65536 else None


def written_files(name: str, folder: str, present: Collection[str], port: int) -> Mapping[str, bytes]:
    """What is added to a folder so that it can be built, by names in it: nothing where it has a Dockerfile; a small
    program and its Dockerfile where it has no source at all. `present` are the paths of the files below the folder.

    Raises InvalidInput where how to build the source can't be told.
    """
    if "Dockerfile" in present:
        return {}
    if not any(map(_is_source, present)):
        return {
            "Dockerfile": _python("COPY main.py .\n", "main.py", port),
            "main.py": fill(SAMPLE, name=name, port=str(port)).encode(),
        }
    start = next((one for one in STARTS if one in present), None)
    if start is not None:
        return {"Dockerfile": _python(_copying(present), start, port)}
    if "package.json" in present:
        return {"Dockerfile": fill(NODE, port=str(port)).encode()}
    raise InvalidInput(
        f"{folder or 'the root'} has no Dockerfile, and how to build it can't be told",
        remedy=f"write {folder}/Dockerfile".replace(" /", " ") + f" (known are {', '.join(STARTS)} and package.json)",
    )


def _is_source(path: str) -> bool:
    first = path.partition("/")[0]
    return not (is_yaml(path) or path.lower() in _NOT_SOURCE or first.startswith("."))


def _copying(present: Collection[str]) -> str:
    return f"{REQUIREMENTS if 'requirements.txt' in present else ''}COPY . .\n"


def _python(copying: str, start: str, port: int) -> bytes:
    return fill(PYTHON, copying=copying, start=start, port=str(port)).encode()
