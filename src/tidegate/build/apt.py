"""Understands `apt-get update && apt-get install`, as Debian packages that are to be unpacked. Pure."""

from __future__ import annotations

import re

from tidegate.build.actions import Action, InstallPackages
from tidegate.build.native import NotNative
from tidegate.build.options import read_options
from tidegate.build.shell import ShellCommand

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)
_SWITCHES = {"-y": "", "--yes": "", "--assume-yes": "", "-q": "", "-qq": "", "--quiet": "", "-f": "", "-m": "",
             "--no-install-recommends": "bare", "--install-recommends": "full", "--fix-missing": "",
             "--no-install-suggests": "", "--allow-downgrades": "", "--no-upgrade": ""}  # fmt: skip


def read_apt_command(command: ShellCommand, notes: list[str]) -> list[Action] | None:
    """What `apt-get` or `apt` does; None for any other command. Raises NotNative."""
    name = command.words[0].text.rpartition("/")[2]
    if name not in ("apt-get", "apt"):
        return None
    options = read_options(name, command.words[1:], _SWITCHES, {"-o": "setting", "--option": "setting"})
    verb, *packages = options.texts() or [""]
    settings = options.given.get("setting", ())
    if any(not re.match(r"(?:Acquire|Dpkg::Use-Pty|APT::Install-Recommends=)", one) for one in settings):
        raise NotNative(f"{name} with these settings must be run")
    if verb in ("update", "clean", "autoclean") and not packages:
        return []
    if verb != "install":
        raise NotNative(f"`{name} {verb}` must be run")
    for package in packages:
        if not _PACKAGE.fullmatch(package) or (package.endswith(("-", "+")) and package != "g++"):
            raise NotNative(f"{name}: {package!r} is no plain name of a package")
    if not packages:
        return []
    bare = options.has("bare") or any(one.lower() == "apt::install-recommends=false" for one in settings)
    return [InstallPackages(tuple(packages), not bare)]
