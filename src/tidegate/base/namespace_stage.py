"""Runs a program as root of a user namespace that has a range of the caller's ids: root there, nobody on the machine.

Started with `python -I -S` by root, as `sandbox_stage.py` is, and like it imports the standard library only:

    python -I -S -c … FOLDER '{"users": [BASE, COUNT], "handlers": [LINE], "binds": [[FROM, NAME]], "limits": {}}' ARGV

The machine's files are in sight, with the rights of nobody. /tmp is the program's own; `binds` are folders that it
finds there, wherever they are. `handlers` are lines for binfmt_misc's `register`, for this namespace alone. Exit 125:
it could not be set up; else the program's own code.
"""

# As in sandbox_stage.py.
# ruff: noqa: PTH102

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, NoReturn

from sandbox_stage import (  # type: ignore[import-not-found]  # beside this file, which is no package when it runs
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_REC,
    PR_SET_PDEATHSIG,
    SETUP_FAILED,
    SetupError,
    call,
    enter_user_namespace,
    execute,
    fail,
    libc,
    limit_resources,
    mount,
    open_source,
    register_handlers,
    reopened,
)

CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x04000000, 0x08000000, 0x20000000
MS_PRIVATE = 1 << 18


def main() -> NoReturn:
    """The plan and the program are arguments; the environment is the program's own."""
    plan: dict[str, Any] = json.loads(sys.argv[2])
    try:
        call("a mount namespace", libc.unshare(CLONE_NEWNS))
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        place(plan["binds"])
        enter_user_namespace(*plan["users"])
        call("namespaces", libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID))
        child = os.fork()
    except (SetupError, OSError) as error:
        fail(SETUP_FAILED, f"a user namespace could not be set up: {error}")
    if child == 0:
        become(plan, sys.argv[3:])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(child, received))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def place(binds: list[list[str]]) -> None:
    """The folders on a /tmp of the program's own. They are opened before it hides what may lie below the old one."""
    opened = [(open_source(source), name) for source, name in binds]
    mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")  # noqa: S108 - it is mounted over
    for descriptor, name in opened:
        target = f"/tmp/{name}"  # noqa: S108
        os.mkdir(target, 0o755)
        mount(reopened(descriptor), target, None, MS_BIND | MS_REC)
        os.close(descriptor)


def become(plan: dict[str, Any], argv: list[str]) -> NoReturn:
    """Process 1 of the namespaces: it ends with its parent, and all that it has started with it."""
    try:
        call("prctl", libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        limit_resources(plan["limits"])
        if plan["handlers"]:
            register_handlers(plan["handlers"])
    except (SetupError, OSError) as error:
        fail(SETUP_FAILED, f"a user namespace could not be set up: {error}")
    execute(argv, dict(os.environ))
    os._exit(SETUP_FAILED)  # it has not come back
