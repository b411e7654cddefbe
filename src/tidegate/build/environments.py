"""Makes the files of a virtual environment as the image's own `venv` would: links, `pyvenv.cfg`, activation. Blocks."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from tidegate.build.actions import MakeEnvironment, MakeFolders
from tidegate.build.facts import Python
from tidegate.build.native import NotNative
from tidegate.build.operations import make_folders
from tidegate.build.shell import Word
from tidegate.build.world import World
from tidegate.oci.layers import EntryKind

_SCRIPT_LIMIT = 1024 * 1024
_WHEELS = ("{library}/ensurepip/_bundled", "usr/share/python-wheels")
_WHEEL = re.compile(r"(pip|setuptools)-([0-9][^-]*)-[^/]*\.whl", re.ASCII)


def make_environment(action: MakeEnvironment, world: World, python: Python, *, wide: bool) -> None:
    """`python -m venv`; `wide` says that the platform has 64 bits. Raises NotNative where its files are not known."""
    program = world.program(action.program)
    library = library_of(world, python)
    place = world.followed(action.path.lstrip("/"))
    if world.at(place) is not None:
        raise NotNative(f"{action.path} is there already")
    headers = f"include/python{python.minor}" if int(python.minor.split(".")[1]) >= 11 else "include"
    for folder in ("bin", headers, f"lib/python{python.minor}/site-packages"):
        make_folders(MakeFolders((Word(f"{action.path}/{folder}"),), parents=True), world)
    if wide:
        _link(f"{place}/lib64", "lib", world)
    first = program.rpartition("/")[2]
    _link(f"{place}/bin/{first}", program, world)
    for name in ("python", "python3", f"python{python.minor}"):
        if name != first:
            _link(f"{place}/bin/{name}", first, world)
    world.write(f"{place}/pyvenv.cfg", _config(action, world, program, python).encode())
    for kind in ("common", "posix"):
        for path in world.files.under(f"{library}/venv/scripts/{kind}"):
            _activation(action, path, f"{place}/bin/{path.rpartition('/')[2]}", world)


def _link(place: str, target: str, world: World) -> None:
    world.put(place, world.new(place, EntryKind.SYMLINK, 0o777, target=target))


def library_of(world: World, python: Python) -> str:
    """Where the standard library is. Raises NotNative where it has no venv, as without Debian's python3-venv."""
    library = f"{python.executable.rpartition('/bin/')[0].strip('/')}/lib/python{python.minor}"
    if not world.files.is_directory(f"{library}/venv/scripts/common"):
        raise NotNative("the image's Python has no venv (Debian's python3-venv)")
    return library


def bundled_wheels(world: World, python: Python) -> list[str]:
    """The paths of the wheels that venv installs. Raises NotNative where there is no pip among them."""
    library = library_of(world, python)
    found: dict[str, str] = {}
    for folder in _WHEELS:
        for path in world.files.under(folder.format(library=library)):
            match = _WHEEL.fullmatch(path.rpartition("/")[2])
            if match and (match[1] == "pip" or int(python.minor.split(".")[1]) <= 11):
                found.setdefault(match[1], path)
    if "pip" not in found:
        raise NotNative("the image's Python has no wheel of pip for a virtual environment (Debian's python3-venv)")
    return list(found.values())


def _config(action: MakeEnvironment, world: World, program: str, python: Python) -> str:
    real = world.followed(program.lstrip("/"))
    system = "true" if action.system else "false"
    options = ["--system-site-packages"] if action.system else []
    options += ["--without-pip"] if action.bare else []
    options += [f"--prompt={action.prompt!r}"] if action.prompt else []
    command = " ".join([program, "-m", "venv", *options, action.path])
    lines = [
        f"home = {program.rpartition('/')[0]}",
        f"include-system-site-packages = {system}",
        f"version = {python.version}",
        *([f"prompt = {action.prompt!r}"] if action.prompt else []),
        *([f"executable = /{real}", f"command = {command}"] if int(python.minor.split(".")[1]) >= 11 else []),
    ]
    return "".join(f"{line}\n" for line in lines)


def _activation(action: MakeEnvironment, source: str, place: str, world: World) -> None:
    name = action.path.rpartition("/")[2]
    prompt = f"({action.prompt or name}) "
    text = world.read(source, _SCRIPT_LIMIT).decode("utf-8")
    text = re.sub(r"(?<![\"'])__VENV_PROMPT__", lambda _: shlex.quote(prompt), text)
    for mark, value in (
        ("__VENV_DIR__", action.path),
        ("__VENV_NAME__", name),
        ("__VENV_PROMPT__", prompt),
        ("__VENV_BIN_NAME__", "bin"),
        ("__VENV_PYTHON__", f"{action.path}/bin/{action.program.rpartition('/')[2]}"),
    ):
        text = text.replace(mark, value)
    world.write(place, text.encode())
    world.change(place, replace(world.existing(place), mode=world.existing(source).mode))
