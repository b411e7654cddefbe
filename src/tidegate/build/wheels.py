"""Installs wheels for a foreign platform into a folder, by `uv`, without running anything of that platform."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate.base.errors import CommandFailed, InvalidInput, MissingTool, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.process import Completed, minimal_environment, run
from tidegate.build.contents import Contents
from tidegate.build.filesystem import Changes
from tidegate.build.index_settings import IndexSettings
from tidegate.build.pip import PipInstall
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import Entry, EntryKind, directory, symlink, whiteout

OLDEST_UV = (0, 5, 0)
TIMEOUT = 900.0
_REMEDY = "install it: pip install 'tidegate[build]'"
_NOTE = "uv_cache.json"
_USER_IN_URL = re.compile(r"://[^/@\s]+@")
_NETWORK_TROUBLE = re.compile(
    r"error sending request|Failed to fetch|Connection refused|dns error|timed? ?out|status server error", re.IGNORECASE
)


@frozen
class Requirement:
    """A requirements or constraints file of the image, and where it lies on this machine."""

    path: Path
    constrains: bool = False


def find_uv() -> Path:
    """The `uv` beside this Python, else on PATH. Raises MissingTool."""
    beside = Path(sys.executable).parent / "uv"
    if beside.is_file():
        return beside
    spec = importlib.util.find_spec("uv")
    if spec is not None and spec.origin is not None:
        import uv  # noqa: PLC0415 - only where the package is there; it knows where it put its program

        return Path(uv.find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise MissingTool("`uv`, which resolves the wheels of pip install, is not installed", remedy=_REMEDY)
    return Path(found)


def check_version(text: str) -> None:
    """Raise MissingTool where `uv --version` says that it is too old to be told about a foreign interpreter."""
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", text)
    if match is None or tuple(map(int, match.groups())) < OLDEST_UV:
        wanted = ".".join(map(str, OLDEST_UV))
        raise MissingTool(f"{text.strip()[:100]!r} is too old: builds need uv {wanted}", remedy=_REMEDY)


def uv_argv(
    uv: Path, interpreter: Path, prefix: Path, cache: Path, install: PipInstall, files: Sequence[Requirement]
) -> list[str]:
    """The command that installs under `prefix`. Names come in a file, so that none can be taken for an option."""
    argv = [str(uv), "pip", "install", "--no-config", "--no-progress", "--color", "never", "--cache-dir", str(cache)]
    place = "--target" if install.target else "--prefix"
    argv += ["--python", str(interpreter), place, str(prefix), "--only-binary", ":all:", "--no-python-downloads"]
    argv += ["--index-strategy", "unsafe-best-match", "--link-mode", "copy"]
    for switch in ("upgrade", "no_deps", "require_hashes"):
        if getattr(install, switch):
            argv.append(f"--{switch.replace('_', '-')}")
    if install.pre:
        argv += ["--prerelease", "allow"]
    for file in files:
        argv += ["--constraint" if file.constrains else "--requirement", str(file.path)]
    return argv


def uv_environment(settings: IndexSettings, install: PipInstall) -> dict[str, str]:
    """The host's network and index settings, with the line's own indexes in front of them; nothing else."""
    own = IndexSettings(
        install.index_url or settings.index_url,
        (*install.extra_index_urls, *settings.extra_index_urls),
        settings.find_links,
        (*install.trusted_hosts, *settings.trusted_hosts),
        settings.no_index,
        settings.ca_file,
    )
    fixed = {"UV_SYSTEM_CERTS": "1", "UV_NO_PYTHON_DOWNLOADS": "1", "UV_KEYRING_PROVIDER": "disabled"}
    return minimal_environment(fixed | own.environment(), network=True)


async def install_wheels(
    install: PipInstall,
    files: Sequence[Requirement],
    *,
    interpreter: Path,
    prefix: Path,
    cache: Path,
    settings: IndexSettings,
    platform: Platform,
) -> list[str]:
    """Install under `prefix` what fits the interpreter; gives the lines that say what came.

    Raises InvalidInput where no wheel fits, naming package and platform; Unavailable where the index can't be reached;
    MissingTool.
    """
    uv = find_uv()
    check_version((await run([str(uv), "--version"], timeout=30)).text)
    argv = uv_argv(uv, interpreter, prefix, cache, install, files)
    if settings.no_index and not install.index_url:
        argv.append("--no-index")
    ended = await run(argv, env=uv_environment(settings, install), timeout=TIMEOUT, check=False)
    if ended.exit_code != 0:
        raise explain_failure(ended, platform)
    lines = ended.stderr.decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.startswith((" + ", " - ", " ~ "))]


def explain_failure(ended: Completed, platform: Platform) -> TidegateError:
    """uv's own words, which name the package, with the platform and what can be done."""
    text = ended.stderr.decode("utf-8", "replace").strip()
    text = _USER_IN_URL.sub("://", text)
    said = "\n".join(line for line in text.splitlines() if not line.startswith("Using CPython"))
    reason = re.sub(r"^error: |(?m:^\s*(?:cause|×|╰─▶|│)\s*:?\s*)", "", said).strip()[:4000]
    reason = re.sub(r"\s*\n+\s*", "; ", reason)
    if _NETWORK_TROUBLE.search(said):
        remedy = "check the network, the proxy settings, and pip's index settings of this machine"
        return Unavailable(f"{platform}: the package index can't be reached: {reason}", remedy=remedy)
    if "solution" in said or "wheel" in said or "requirement" in said.lower():
        remedy = "require versions that have wheels for that platform; nothing is compiled natively"
        return InvalidInput(f"{platform}: {reason}", remedy=remedy)
    return CommandFailed(
        f"{platform}: uv ended with {ended.exit_code}: {reason}", exit_code=ended.exit_code, output=text
    )


def forget_cache_notes(root: Path) -> None:
    """Remove what uv notes for itself in a package that comes from a folder of this machine: the time of its file. It
    serves nobody in an image, and would give the layer another digest each time. Blocks.
    """
    for note in root.rglob(f"*.dist-info/{_NOTE}"):
        record = note.with_name("RECORD")
        lines = record.read_bytes().splitlines(keepends=True)
        own = f"{note.parent.name}/{_NOTE},".encode()
        record.write_bytes(b"".join(line for line in lines if not line.startswith(own)))
        note.unlink()


State = dict[str, tuple[int, int, int, int]]


def state_of(root: Path) -> State:
    """What is in a folder, so that it can be told later what has changed."""
    state: State = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder, name)
            found = path.lstat()
            changed = found.st_mtime_ns if not stat.S_ISDIR(found.st_mode) else 0
            state[path.relative_to(root).as_posix()] = (found.st_mode, found.st_size, changed, found.st_ino)
    return state


def changes(root: Path, before: State) -> Iterator[Entry]:
    """The layer's entries for what is new or other in `root`, and whiteouts for what is gone; modes are pip's."""
    after = state_of(root)
    for path in sorted(after):
        if before.get(path) == after[path] or path.endswith("/.lock") or "__pycache__" in path.split("/"):
            continue
        if stat.S_ISDIR(after[path][0]):
            if path not in before:
                yield directory(path)
        elif stat.S_ISLNK(after[path][0]):
            yield symlink(path, str((root / path).readlink()))
        else:
            yield Entry(path, EntryKind.FILE, 0o755 if after[path][0] & 0o100 else 0o644, content=root / path)
    gone = [path for path in before if path not in after]
    yield from (whiteout(path) for path in gone if path.rpartition("/")[0] not in gone)


def seed(root: Path, below: Changes, contents: Contents) -> None:
    """Put what is installed below into `root`, for uv to see what is there. Blocks."""
    files = contents.fetch(inode.content for inode in below.values() if inode is not None and inode.content is not None)
    for path, inode in below.items():
        target = root / path
        if inode is None:
            continue
        if inode.is_directory:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if inode.content is None:
            target.symlink_to(inode.target)
            continue
        data = files[inode.content.digest]
        if isinstance(data, bytes):
            target.write_bytes(data)
        else:
            shutil.copyfile(data, target)
        target.chmod(0o755 if inode.mode & 0o100 else 0o644)
