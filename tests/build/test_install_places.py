"""Where pip installs: the image's own site, a virtual environment, the user's site, a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.build.actions import InstallWheels, MakeEnvironment
from tidegate.build.bases import Foundation
from tidegate.build.commands import read_script
from tidegate.build.contents import Contents, content_of
from tidegate.build.context import Context
from tidegate.build.environments import bundled_wheels, make_environment
from tidegate.build.facts import Facts, Python
from tidegate.build.filesystem import Filesystem, Inode, folder_inode
from tidegate.build.installing import Installation, place_of, prepare, same_place
from tidegate.build.native import NotNative
from tidegate.build.world import World
from tidegate.kinds.platform import Platform
from tidegate.oci.layers import EntryKind
from tidegate.oci.values import ImageConfig

PYTHON = Python("/usr/local/bin/python3.11", "3.11.9", "usr/local", "lib/python3.11/site-packages")
PATH = "/usr/local/bin:/usr/bin"
ACTIVATE = 'VIRTUAL_ENV="__VENV_DIR__"\nPATH="$VIRTUAL_ENV/__VENV_BIN_NAME__:$PATH"\nPS1="__VENV_PROMPT__${PS1:-}"\n'
QUOTED = 'VIRTUAL_ENV=__VENV_DIR__\nPATH="$VIRTUAL_ENV/"__VENV_BIN_NAME__":$PATH"\nPS1=__VENV_PROMPT__"${PS1:-}"\n'
LIBRARY = "usr/local/lib/python3.11"


def image(**files: str) -> Filesystem:
    texts = {
        "usr/local/bin/python3.11": "", "etc/passwd": "app:x:5:6::/home/app:/bin/sh\nlost:x:7:7::/gone:/bin/sh\n",
        f"{LIBRARY}/venv/scripts/common/activate": ACTIVATE, f"{LIBRARY}/venv/scripts/posix/activate.csh": QUOTED,
        f"{LIBRARY}/ensurepip/_bundled/pip-24.0-py3-none-any.whl": "pip",
        f"{LIBRARY}/ensurepip/_bundled/setuptools-65.5.0-py3-none-any.whl": "tools",
        "home/app/.x": "",
    } | files  # fmt: skip
    nodes: dict[str, Inode] = {"usr/local/bin/python3": Inode(EntryKind.SYMLINK, 0o777, target="python3.11")}
    for path, text in texts.items():
        parts = path.split("/")
        nodes |= {"/".join(parts[:depth]): folder_inode() for depth in range(1, len(parts))}
        nodes[path] = Inode(EntryKind.FILE, content=content_of(text.encode()))
    return Filesystem(nodes)


def world(folder: Path, files: Filesystem | None = None, user: str = "", **variables: str) -> World:
    environment = [f"{name}={value}" for name, value in ({"PATH": PATH} | variables).items()]
    return World(files or image(), Contents(Context(folder), folder), user, environment)


def action(text: str, path: str = PATH) -> InstallWheels:
    *_, found = read_script(text, {"HOME": "/root", "PATH": path}, "/srv").actions
    assert isinstance(found, InstallWheels)
    return found


def test_the_images_own_site_is_the_usual_place(tmp_path: Path) -> None:
    assert place_of(action("pip install a"), PYTHON, world(tmp_path)) == PYTHON
    assert place_of(action("uv pip install --system a"), PYTHON, world(tmp_path)) == PYTHON


def test_a_folder_is_the_lines_own(tmp_path: Path) -> None:
    found = place_of(action("pip install --target lib a"), PYTHON, world(tmp_path))
    assert (found.prefix, found.site_packages, found.executable) == ("srv/lib", "srv/lib", PYTHON.executable)


def test_the_users_site_is_in_the_home_that_the_image_knows(tmp_path: Path) -> None:
    assert place_of(action("pip install --user a"), PYTHON, world(tmp_path)).prefix == "root/.local"
    found = place_of(action("pip install a"), PYTHON, world(tmp_path, user="app"))
    assert found.site_packages == "home/app/.local/lib/python3.11/site-packages"
    set_home = world(tmp_path, user="app", HOME="/data")
    assert place_of(action("pip install a"), PYTHON, set_home).prefix == "data/.local"
    for user in ("lost", "99"):
        with pytest.raises(NotNative, match="has no home"):
            place_of(action("pip install a"), PYTHON, world(tmp_path, user=user))


def test_an_environment_counts_where_it_is_one(tmp_path: Path) -> None:
    path = f"/opt/venv/bin:{PATH}"
    there = image(**{"opt/venv/pyvenv.cfg": "home = /usr/local/bin\nversion = 3.11.9\n"})
    found = place_of(action("pip install a", path), PYTHON, world(tmp_path, there))
    assert (found.prefix, found.executable) == ("opt/venv", "/opt/venv/bin/python")
    assert place_of(action("pip install a", path), PYTHON, world(tmp_path)) == PYTHON
    for line in ("/opt/venv/bin/pip install a", "uv pip install a"):
        with pytest.raises(NotNative, match="is no virtual environment"):
            place_of(action(line), PYTHON, world(tmp_path))
    other = image(**{"opt/venv/pyvenv.cfg": "version = 3.12.1\n"})
    with pytest.raises(NotNative, match="is of another Python"):
        place_of(action("pip install a", path), PYTHON, world(tmp_path, other))


def test_a_place_of_somebody_else_is_not_installed_to(tmp_path: Path) -> None:
    facts = Facts(python=PYTHON, libc="glibc", libc_version=(2, 36))
    base = Foundation("x", "", ImageConfig(Platform("linux", "amd64")), (), facts)
    venv = image(**{"opt/venv/pyvenv.cfg": "version = 3.11.9\n"})
    installed = action("/opt/venv/bin/pip install a")

    def ready(user: str) -> Installation:
        return prepare([installed], base.config.platform, base, lambda _: None, world(tmp_path, venv, user=user))

    assert ready("").owner == (0, 0)
    with pytest.raises(NotNative, match="the user 5 may not write to /opt/venv"):
        ready("app")
    venv.nodes["opt/venv"] = folder_inode(0o755, 5, 6)
    assert ready("app").owner == (5, 6)


def test_installations_to_one_place_are_made_together() -> None:
    assert same_place(action("pip install a"), action("pip install b"))
    assert not same_place(action("pip install a"), action("pip install --user b"))
    assert not same_place(action("pip install --target x a"), action("pip install --target y b"))


def test_an_environment_is_made_as_venv_makes_it(tmp_path: Path) -> None:
    files = image()
    make_environment(MakeEnvironment("/opt/venv", "python3", "/opt/venv"), world(tmp_path, files), PYTHON, wide=True)
    made = {
        path.removeprefix("opt/venv/"): inode for path, inode in files.nodes.items() if path.startswith("opt/venv/")
    }
    assert {path: inode.target for path, inode in made.items() if inode.target} == {
        "lib64": "lib", "bin/python3": "/usr/local/bin/python3", "bin/python": "python3", "bin/python3.11": "python3",
    }  # fmt: skip
    texts = {path: inode.content.place for path, inode in made.items() if inode.content is not None}
    assert texts == {
        "pyvenv.cfg": b"home = /usr/local/bin\ninclude-system-site-packages = false\nversion = 3.11.9\n"
        b"executable = /usr/local/bin/python3.11\ncommand = /usr/local/bin/python3 -m venv /opt/venv\n",
        "bin/activate": b'VIRTUAL_ENV="/opt/venv"\nPATH="$VIRTUAL_ENV/bin:$PATH"\nPS1="(venv) ${PS1:-}"\n',
        "bin/activate.csh": b'VIRTUAL_ENV=/opt/venv\nPATH="$VIRTUAL_ENV/"bin":$PATH"\nPS1=\'(venv) \'"${PS1:-}"\n',
    }
    again = MakeEnvironment("/opt/venv", "python3", "/opt/venv")
    with pytest.raises(NotNative, match="is there already"):
        make_environment(again, world(tmp_path, files), PYTHON, wide=True)


def test_an_environment_gets_the_wheels_that_the_image_has(tmp_path: Path) -> None:
    found = [path.rpartition("/")[2] for path in bundled_wheels(world(tmp_path), PYTHON)]
    assert found == ["pip-24.0-py3-none-any.whl", "setuptools-65.5.0-py3-none-any.whl"]
    bare = image()
    bare.remove(f"{LIBRARY}/ensurepip")
    with pytest.raises(NotNative, match="no wheel of pip"):
        bundled_wheels(world(tmp_path, bare), PYTHON)
    bare.remove(f"{LIBRARY}/venv")
    with pytest.raises(NotNative, match="has no venv"):
        bundled_wheels(world(tmp_path, bare), PYTHON)
