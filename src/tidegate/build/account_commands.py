"""The commands that make users and groups, `useradd` and its like, read into actions. Pure.

Debian's `adduser` asks, and looks up what its version does of itself: it is not native. Busybox's, of Alpine, is.
"""

from __future__ import annotations

import re

from tidegate.build.actions import Action, AddGroup, AddToGroups, AddUser
from tidegate.build.native import NotNative
from tidegate.build.options import Options, read_options
from tidegate.build.shell import ShellCommand

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)


def read_account_command(command: ShellCommand) -> list[Action] | None:
    """What a command does to the image's accounts; None for any other command. Raises NotNative."""
    name = command.words[0].text.rpartition("/")[2]
    reader = {"useradd": _useradd, "groupadd": _groupadd, "usermod": _usermod, "adduser": _adduser,
              "addgroup": _addgroup}.get(name)  # fmt: skip
    return None if reader is None else reader(command)


def _number(command: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 2**31:
        raise NotNative(f"{command}: {text!r} is no number of an account")
    return int(text)


def _checked(command: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotNative(f"{command}: {name!r} is no name of an account")
    return name


def _field(command: str, text: str) -> str:
    if ":" in text or "\n" in text:
        raise NotNative(f"{command}: {text!r} can't be in a list of accounts")
    return text


def _one(command: str, options: Options) -> str:
    if len(options.operands) != 1:
        raise NotNative(f"{command} needs one name")
    return _checked(command, options.operands[0].text)


def _groups(text: str) -> tuple[str, ...]:
    return tuple(group for group in text.split(",") if group)


def _useradd(command: ShellCommand) -> list[Action]:
    switches = {"-r": "system", "--system": "system", "-m": "home", "--create-home": "home", "-M": "homeless",
                "--no-create-home": "homeless", "-N": "shared", "--no-user-group": "shared", "-U": "own",
                "--user-group": "own", "-l": "", "--no-log-init": "", "-o": "duplicate",
                "--non-unique": "duplicate"}  # fmt: skip
    valued = {"-u": "uid", "--uid": "uid", "-g": "group", "--gid": "group", "-G": "groups", "--groups": "groups",
              "-d": "folder", "--home-dir": "folder", "--home": "folder", "-s": "shell", "--shell": "shell",
              "-c": "comment", "--comment": "comment"}  # fmt: skip
    options = read_options("useradd", command.words[1:], switches, valued)
    return [
        AddUser(
            _one("useradd", options),
            _number("useradd", options.value("uid")),
            options.value("group"),
            _groups(options.value("groups")),
            options.has("system"),
            _field("useradd", options.value("folder")),
            True if options.has("home") else False if options.has("homeless") else None,
            _field("useradd", options.value("shell")),
            _field("useradd", options.value("comment")),
            True if options.has("own") else False if options.has("shared") else None,
            options.has("duplicate"),
        )
    ]


def _groupadd(command: ShellCommand) -> list[Action]:
    switches = {"-r": "system", "--system": "system", "-f": "lenient", "--force": "lenient"}
    options = read_options("groupadd", command.words[1:], switches, {"-g": "gid", "--gid": "gid"})
    gid = _number("groupadd", options.value("gid"))
    return [AddGroup(_one("groupadd", options), gid, options.has("system"), options.has("lenient"))]


def _usermod(command: ShellCommand) -> list[Action]:
    options = read_options(
        "usermod", command.words[1:], {"-a": "add", "--append": "add"}, {"-G": "groups", "--groups": "groups"}
    )
    if not options.has("add") or not options.has("groups"):
        raise NotNative("usermod, save for -aG, must be run")
    return [AddToGroups(_one("usermod", options), _groups(options.value("groups")))]


def _adduser(command: ShellCommand) -> list[Action]:
    """Busybox's; with two names it puts a user into a group, as Debian's does."""
    options = read_options(
        "adduser",
        command.words[1:],
        {"-D": "no password", "-S": "system", "-H": "homeless"},
        {"-u": "uid", "-G": "group", "-h": "folder", "-s": "shell", "-g": "comment"},
    )
    if len(options.operands) == 2 and not options.given:
        user, group = (_checked("adduser", text) for text in options.texts())
        return [AddToGroups(user, (group,))]
    if not options.has("no password") and not options.has("system"):
        raise NotNative("adduser asks for a password; write -D")
    return [
        AddUser(
            _one("adduser", options),
            _number("adduser", options.value("uid")),
            options.value("group"),
            (),
            options.has("system"),
            _field("adduser", options.value("folder")),
            not options.has("homeless"),
            _field("adduser", options.value("shell")),
            _field("adduser", options.value("comment")),
            busybox=True,
        )
    ]


def _addgroup(command: ShellCommand) -> list[Action]:
    options = read_options("addgroup", command.words[1:], {"-S": "system"}, {"-g": "gid"})
    if len(options.operands) == 2 and not options.given:
        user, group = (_checked("addgroup", text) for text in options.texts())
        return [AddToGroups(user, (group,))]
    gid = _number("addgroup", options.value("gid"))
    return [AddGroup(_one("addgroup", options), gid, options.has("system"), busybox=True)]
