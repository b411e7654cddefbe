"""Reads requirements files of an image; nothing in them can make the resolver read a file of this machine.

Pure. Follows pip's requirements file format; every included file is taken from the image too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.frozen import frozen
from tidegate.build.native import NotNative
from tidegate.build.pip import check_index, check_requirement

FILE_LIMIT = 64
_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(--?[A-Za-z][A-Za-z-]*)(?:\s*=\s*|\s+|(?<=^-[rci]))?(.*)", re.DOTALL)
_INCLUDES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_INDEXES = frozenset({"-i", "--index-url", "--extra-index-url"})
_PASSED = frozenset({"--pre", "--require-hashes", "--trusted-host"})
_DROPPED = frozenset({"--prefer-binary", "--only-binary", "--use-feature"})

Lookup = Callable[[str], bytes | None]
"""From an absolute path in the image to the file's content; None where the image has no such file that was copied."""


@frozen
class RequirementsFile:
    """A file as the resolver is to read it, line by line."""

    path: str
    lines: tuple[str | Include, ...]


@frozen
class Include:
    """A line that includes another file: the option, and the file's absolute path in the image."""

    option: str
    path: str


def collect(paths: list[str], lookup: Lookup) -> dict[str, RequirementsFile]:
    """The files at `paths` (absolute in the image) and all that they include, by path.

    Raises InvalidInput where one is not in the image, or a line can't be taken natively, with its place.
    """
    found: dict[str, RequirementsFile] = {}
    todo = list(paths)
    while todo:
        path = todo.pop(0)
        if path in found:
            continue
        if len(found) >= FILE_LIMIT:
            raise LimitExceeded(f"more than {FILE_LIMIT} requirements files")
        data = lookup(path)
        if data is None:
            raise InvalidInput(f"{path} is not among the files that were copied into the image", remedy="COPY it first")
        found[path] = parse(path, data)
        todo += [line.path for line in found[path].lines if isinstance(line, Include)]
    return found


def parse(path: str, data: bytes) -> RequirementsFile:
    """Read one file. Raises InvalidInput at its line."""
    lines: list[str | Include] = []
    for number, text in _logical_lines(data.decode("utf-8-sig", "replace")):
        try:
            line = _line(path, text)
        except NotNative as why:
            raise InvalidInput(str(why), where=Where(path.rpartition("/")[2], number)) from why
        if line:
            lines.append(line)
    return RequirementsFile(path, tuple(lines))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            joined += line[:-1] + " "
            continue
        stripped = _COMMENT.sub("", joined + line).strip()
        if stripped:
            yield start, stripped
        joined, start = "", 0
    if joined.strip():
        yield start, joined.strip()


def _line(path: str, text: str) -> str | Include:
    if not text.startswith("-"):
        return check_requirement(text)
    match = _OPTION.fullmatch(text)
    option, value = (match[1], match[2].strip()) if match else (text, "")
    if text[:2] in ("-r", "-c", "-i") and not text.startswith("--"):
        option, value = text[:2], text[2:].lstrip(" =")
    if option in _INCLUDES:
        if not value or "://" in value:
            raise NotNative(f"{option} takes a file of the image")
        return Include(_INCLUDES[option], posixpath.normpath(posixpath.join(posixpath.dirname(path), value)))
    if option in _INDEXES:
        check_index(value)
        return text
    if option in _PASSED:
        return text
    if option in _DROPPED:
        return ""
    raise NotNative(f"pip's option {option} in a requirements file is not understood natively")
