"""Finds, packs and unpacks a job's files from inside its place, as the job's own user.

It runs as a program of its own (`python -I -S -c …`), so it imports nothing of ours. The argument is a file with the
request; the last line on stdout is the answer, both JSON. Nothing that it reads can reach further than the job itself.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import stat
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

CHUNK = 1024 * 1024
_MAGIC = re.compile(r"[*?\[]")


class Pattern:
    """A line of patterns, as @actions/glob reads it: `*`, `?`, `[…]`, `**`, `~` at the beginning, `!` to leave out."""

    def __init__(self, line: str, folder: str, *, descendants: bool):
        stripped = line.lstrip("!")
        self.negate = (len(line) - len(stripped)) % 2 == 1
        if stripped == "~" or stripped.startswith("~/"):
            stripped = os.environ.get("HOME", "/") + stripped[1:]
        whole = os.path.normpath(os.path.join(folder, stripped.strip()))
        self.folders_only = stripped.endswith("/")
        self.parts = [part for part in whole.split("/") if part]
        literal = next((place for place, part in enumerate(self.parts) if _MAGIC.search(part)), len(self.parts))
        self.root = "/" + "/".join(self.parts[:literal])
        self.descendants = descendants
        self._matchers = [None if part == "**" else _segment(part) for part in self.parts]

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether a path is meant; what lies below one that is meant is too, where descendants are implied."""
        parts = [part for part in path.split("/") if part]
        if self._fits(parts, 0, 0) and (is_folder or not self.folders_only):
            return True
        return self.descendants and any(self._fits(parts[:end], 0, 0) for end in range(len(parts)))

    def _fits(self, parts: list[str], place: int, mine: int) -> bool:
        while mine < len(self._matchers):
            matcher = self._matchers[mine]
            if matcher is None:
                return any(self._fits(parts, start, mine + 1) for start in range(place, len(parts) + 1))
            if place >= len(parts) or not matcher.match(parts[place]):
                return False
            place, mine = place + 1, mine + 1
        return place == len(parts)


def _segment(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part.replace("[^", "[!")))


class Search:
    """What the lines of a list of patterns mean together; a later one counts over an earlier."""

    def __init__(self, lines: Sequence[str], folder: str, *, descendants: bool, follow: bool, hidden: bool = True):
        told = [line.strip() for line in lines]
        self.patterns = [Pattern(line, folder, descendants=descendants) for line in told if line and line[0] != "#"]
        self._follow = follow
        self._hidden = hidden
        roots = list(dict.fromkeys(pattern.root for pattern in self.patterns if not pattern.negate))
        self.roots = [root for root in roots if not any(other != root and below(root, other) for other in roots)]

    def found(self) -> Iterator[str]:
        """The paths that are meant, each once, a folder before what is in it."""
        for root in self.roots:
            yield from self._walk(root, ())

    def _walk(self, path: str, above: tuple[str, ...]) -> Iterator[str]:
        try:
            is_folder = stat.S_ISDIR((os.stat if self._follow else os.lstat)(path).st_mode)
        except OSError:
            return  # nothing is there, or a link that leads nowhere
        if not self._hidden and os.path.basename(path).startswith("."):
            return
        if self._meant(path, is_folder=is_folder):
            yield path
        if not is_folder:
            return
        real = os.path.realpath(path)
        if real in above:
            return
        for name in sorted(os.listdir(path), key=os.fsencode):
            yield from self._walk(os.path.join(path, name), (*above, real))

    def _meant(self, path: str, *, is_folder: bool) -> bool:
        meant = False
        for pattern in self.patterns:
            if meant == pattern.negate and pattern.matches(path, is_folder=is_folder):
                meant = not pattern.negate
        return meant


def below(path: str, folder: str) -> bool:
    """Whether a path is a folder's own or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def pack_zip(request: dict[str, Any]) -> dict[str, Any]:
    """An artifact: the files that are meant, below the folder that all patterns share; links as what they name."""
    folder, level = request["folder"], request["level"]
    search = Search(request["patterns"], folder, descendants=True, follow=True, hidden=request["hidden"])
    files = [path for path in search.found() if os.path.isfile(path)]
    if not files:
        return {"files": 0, "size": 0}
    root = os.path.commonpath(search.roots)
    if files == [root]:
        root = os.path.dirname(root)
    size = 0
    method = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    with zipfile.ZipFile(
        request["archive"], "x", method, compresslevel=level or None, strict_timestamps=False
    ) as archive:
        for path in files:
            archive.write(path, os.path.relpath(path, root))
            entry = archive.infolist()[-1]
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            size += entry.file_size
    return {"files": len(files), "size": size, "root": root}


def unpack_zip(request: dict[str, Any]) -> dict[str, Any]:
    """An artifact's files into a folder, and nowhere else."""
    count = 0
    with zipfile.ZipFile(request["archive"]) as archive:
        for entry in archive.infolist():
            target = inside(request["folder"], entry.filename)
            if entry.is_dir():
                os.makedirs(target, exist_ok=True)
                continue
            make_way(request["folder"], target)
            with archive.open(entry) as source, open(target, "xb") as file:
                _copy(source, file)
            count += 1
    return {"files": count}


def pack_tar(request: dict[str, Any]) -> dict[str, Any]:
    """A cache: what is meant, with all that is in it. Each name begins with the number of the pattern's own root, so
    that it can be put back where another job has that root.
    """
    search = Search(request["patterns"], request["folder"], descendants=False, follow=True)
    found: list[str] = []
    for path in search.found():
        if not found or not below(path, found[-1]):
            found.append(path)
    if not found:
        return {"files": 0}
    count = 0
    with tarfile.open(request["archive"], "x:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
        for path in found:
            number = next(place for place, root in enumerate(search.roots) if below(path, root))
            for one in _tree(path):
                count += _add(archive, one, os.path.normpath(f"{number}/{os.path.relpath(one, search.roots[number])}"))
    return {"files": count}


def _tree(path: str) -> Iterator[str]:
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from _tree(os.path.join(path, name))


def _add(archive: tarfile.TarFile, path: str, name: str) -> int:
    archive.inodes = {}  # type: ignore[attr-defined]  # a second name of one file is a file of its own
    entry = archive.gettarinfo(path, name)
    if entry is None or not (entry.isreg() or entry.isdir() or entry.issym()):
        return 0
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    if entry.isreg():
        with open(path, "rb") as file:
            archive.addfile(entry, file)
    else:
        archive.addfile(entry)
    return 1


def unpack_tar(request: dict[str, Any]) -> dict[str, Any]:
    """A cache's files to where the same patterns mean now. Links come last, so that nothing is written through one."""
    roots = Search(request["patterns"], request["folder"], descendants=False, follow=True).roots
    folders: list[tuple[str, tarfile.TarInfo]] = []
    links: list[tuple[str, str, tarfile.TarInfo]] = []
    count = 0
    with tarfile.open(request["archive"], "r:gz") as archive:
        for entry in archive:
            number, _, rest = entry.name.partition("/")
            if not number.isdecimal() or int(number) >= len(roots):
                raise ValueError(f"{entry.name!r} is no name of a cache")
            root = roots[int(number)]
            target = inside(root, rest) if rest else root
            if entry.isdir():
                os.makedirs(target, exist_ok=True)
                check_way(root, target)
                os.chmod(target, entry.mode & 0o777 | 0o700)
                folders.append((target, entry))
            elif entry.issym():
                links.append((root, target, entry))
            elif entry.isreg() and (source := archive.extractfile(entry)) is not None:
                make_way(root if rest else os.path.dirname(root), target)
                with source, open(target, "xb") as file:
                    _copy(source, file)
                _finish(target, entry)
            else:
                raise ValueError(f"{entry.name!r} is neither a file, a folder nor a link")
            count += 1
    for root, target, entry in links:
        make_way(root if target != root else os.path.dirname(root), target)
        os.symlink(entry.linkname, target)
    for target, entry in reversed(folders):
        _finish(target, entry)
    return {"files": count}


def _finish(target: str, entry: tarfile.TarInfo) -> None:
    os.chmod(target, entry.mode & 0o777)
    os.utime(target, (entry.mtime, entry.mtime))


def inside(folder: str, name: str) -> str:
    """A name in an archive as a path below a folder. Raises ValueError for one that leads out."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or not parts or "\0" in name:
        raise ValueError(f"the name {name!r} leads out of the folder")
    return os.path.join(folder, *parts)


def make_way(folder: str, target: str) -> None:
    """The folders above a file, and no file or link where it is to lie."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    check_way(folder, os.path.dirname(target))
    if os.path.lexists(target):
        os.unlink(target)


def check_way(folder: str, path: str) -> None:
    """Raises ValueError where a link on the way leads out of the folder."""
    if not below(os.path.realpath(path), os.path.realpath(folder)):
        raise ValueError(f"{path} leads out of {folder} by a link")


def _copy(source: Any, target: BinaryIO | Any) -> int:
    size = 0
    while chunk := source.read(CHUNK):
        target.write(chunk)
        size += len(chunk)
    return size


ERRANDS = {
    "pack-zip": pack_zip,
    "unpack-zip": unpack_zip,
    "pack-tar": pack_tar,
    "unpack-tar": unpack_tar,
}


def main() -> None:
    """Do what the file named by the argument asks for."""
    with open(sys.argv[1], "rb") as file:
        request = json.load(file)
    try:
        answer = ERRANDS[request["do"]](request)
    except (OSError, ValueError, EOFError, RecursionError, RuntimeError, zipfile.BadZipFile, tarfile.TarError) as error:
        answer = {"error": str(error) or type(error).__name__}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
