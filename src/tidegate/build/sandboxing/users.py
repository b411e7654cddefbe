"""Whose files a stage's are on disk, and what a sandbox for a build may be: root inside is nobody outside.

Root maps a range of its own ids. An ordinary user runs the whole build in a user namespace that has his range of ids
(`namespace_argv`), where he is root and the same code works, the ids counting from 0.
"""

from __future__ import annotations

import getpass
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tidegate.base import sandbox
from tidegate.base.errors import MissingTool
from tidegate.base.frozen import frozen
from tidegate.base.sandbox import Capabilities, UserRange
from tidegate.base.sandbox_probe import probe

_START = "import sys; sys.path.append(sys.argv[1]); import namespace_stage; namespace_stage.main()"
_COUNT = 65_536
_INIT_MAP = ["0", "0", "4294967295"]


@frozen
class Users:
    """The ids of an image on disk: `range` is given to the sandbox, `attributes` is overlayfs' namespace of marks."""

    range: UserRange
    capabilities: Capabilities
    attributes: str = "trusted"

    @property
    def chown(self) -> Callable[[int, int], tuple[int, int]]:
        """For the unpacker: ids past the range become its last."""
        base, last = self.range.base, self.range.count - 1
        return lambda uid, gid: (base + min(uid, last), base + min(gid, last))


async def find_users() -> Users:
    """What this process may do. Raises MissingTool with what would change it."""
    if os.geteuid() == 0 and in_namespace():
        return Users(UserRange(0, _COUNT), Capabilities(True, True, True, True), "user")
    if os.geteuid() != 0:
        namespace_argv(())  # says what is missing; with it this process would be root of a namespace
    found = await probe()
    found.require()
    if not found.user_ranges:
        what = "; ".join(missing.what for missing in found.missing) or "there is no range of user ids"
        remedy = "; ".join(missing.remedy for missing in found.missing)
        raise MissingTool(f"no line can be run in a sandbox here: {what}", remedy=remedy or None, code="NoSandbox")
    return Users(UserRange(), found)


def in_namespace() -> bool:
    """Whether this process is root of a user namespace only."""
    return Path("/proc/self/uid_map").read_text().split() != _INIT_MAP


def namespace_argv(argv: Sequence[str]) -> list[str]:
    """`argv` as root of a user namespace with the caller's range of ids, for a caller who is not root. MissingTool
    where he has no such range.
    """
    user = getpass.getuser()
    for program, package in (("unshare", "util-linux"), ("newuidmap", "uidmap"), ("newgidmap", "uidmap")):
        if shutil.which(program) is None:
            raise MissingTool(f"{program} is not installed", remedy=f"install it: apt-get install {package}")
    for file in ("/etc/subuid", "/etc/subgid"):
        if not has_range(Path(file), user, os.getuid()):
            remedy = f"give it one: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
            raise MissingTool(f"the user {user} has no range of {_COUNT} ids in {file}", remedy=remedy)
    return ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "--propagation=slave", "--", *argv]


def confined_argv(users: Users, handlers: Sequence[str], binds: Mapping[str, Path], argv: Sequence[str]) -> list[str]:
    """`argv` as root of a user namespace of the image's own ids, with `binds` below /tmp by their names. See
    base/namespace_stage.py.
    """
    plan = {
        "users": [users.range.base, users.range.count],
        "handlers": list(handlers),
        "binds": [[str(path.resolve()), name] for name, path in binds.items()],
        "limits": {"core": 0, "as": resource.getrlimit(resource.RLIMIT_AS)[1]},
    }
    folder = str(Path(sandbox.__file__).parent)
    return [sys.executable, "-I", "-S", "-c", _START, folder, json.dumps(plan), *argv]


def has_range(file: Path, user: str, uid: int) -> bool:
    """Whether subuid(5) gives a user as many ids as images have."""
    try:
        rows = [line.split(":") for line in file.read_text().splitlines()]
    except OSError:
        return False
    return any(len(row) == 3 and row[0] in (user, str(uid)) and row[2].isdigit() and int(row[2]) >= _COUNT
               for row in rows)  # fmt: skip
