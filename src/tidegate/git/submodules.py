"""The submodules of a commit: where they lie, which commits they are at, and from where those may be fetched.

A `.gitmodules` file comes from whoever may push. Of it only paths and URLs count, no command and no option; a URL is
held to the rules for sources, and may not lead from elsewhere to this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

from tidegate.base.errors import CommandFailed, InvalidInput
from tidegate.base.frozen import frozen
from tidegate.git import command
from tidegate.git.names import check_object_id, check_path
from tidegate.git.remote import Credentials, is_loopback
from tidegate.git.repository import Repository

MODULES_FILE = ".gitmodules"
MODULES_LIMIT = 1024 * 1024
_SCP = re.compile(r"(?P<host>(?:[A-Za-z0-9_][A-Za-z0-9_.\-]*@)?[A-Za-z0-9][A-Za-z0-9_.\-]*):(?P<path>(?!//)[^\s:]+)")


@frozen
class Module:
    """An entry of `.gitmodules`."""

    name: str
    path: str
    url: str


async def modules_of(repository: Repository, blob: str) -> list[Module]:
    """The entries of a `.gitmodules` file, by the id of its blob, as git reads it; InvalidInput."""
    argv = command.argv("config", "--blob", check_object_id(blob), "-z", "--list", git_dir=repository.path)
    try:
        listed = await command.run(argv, output_limit=MODULES_LIMIT)
    except CommandFailed as error:
        if error.exit_code is None:
            raise
        raise InvalidInput(f"{MODULES_FILE} can't be read: {error.message}") from None
    return parse_modules(listed.stdout.decode("utf-8", "surrogateescape").split("\0"))


def parse_modules(settings: Iterable[str]) -> list[Module]:
    """From `git config -z --list`: each setting is a key, and its value after a line break. Pure."""
    found: dict[str, dict[str, str]] = {}
    for setting in settings:
        key, _, value = setting.partition("\n")
        section, _, variable = key.rpartition(".")
        if section.startswith("submodule."):
            found.setdefault(section.removeprefix("submodule."), {}).setdefault(variable, value)
    return [_module(name, values) for name, values in found.items() if "path" in values or "url" in values]


def _module(name: str, values: Mapping[str, str]) -> Module:
    where = f"{MODULES_FILE}: the submodule {name!r}"
    if ".." in re.split(r"[/\\]", name):
        raise InvalidInput(f"{where} has a name that leads out of its folder")
    if not values.get("path") or not values.get("url"):
        raise InvalidInput(f"{where} has no {'url' if values.get('path') else 'path'}")
    try:
        path = check_path(values["path"].removesuffix("/"))
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}") from None
    return Module(name, path, values["url"])


def url_of(module: Module, parent: str) -> str:
    """The URL of a submodule of the repository at `parent`, which a relative one (`../other`) is relative to. Only a
    repository on this machine may have submodules on this machine. Pure; InvalidInput.
    """
    where = f"{MODULES_FILE}: the submodule {module.name!r}"
    url = module.url
    if url.startswith(("./", "../")):
        url = _resolved(url, parent, where)
    elif (scp := _SCP.fullmatch(url)) is not None and "::" not in url:
        url = f"ssh://{scp['host']}/{scp['path'].lstrip('/')}"
    try:
        above, below = urlsplit(parent), urlsplit(url)
        here = is_loopback(below.hostname or "") and not is_loopback(above.hostname or "")
    except ValueError as error:
        raise InvalidInput(f"{where} has no URL: {error}") from None
    if (below.scheme == "file" and above.scheme != "file") or (here and above.scheme != "file"):
        raise InvalidInput(f"{where} leads from {above.hostname} to this machine, which is not allowed")
    return url


def _resolved(url: str, parent: str, where: str) -> str:
    above = urlsplit(parent)
    parts = [part for part in above.path.split("/") if part]
    for step in url.split("/"):
        if step == "..":
            if not parts:
                raise InvalidInput(
                    f"{where} has the URL {url!r}, which leads out of {above.hostname or 'this machine'}"
                )
            parts.pop()
        elif step not in ("", "."):
            parts.append(step)
    return urlunsplit((above.scheme, above.netloc, "/" + "/".join(parts), "", ""))


def credentials_shown(url: str, source: str, credentials: Credentials | None) -> Credentials | None:
    """What of a source's credential may be shown to the remote of a submodule: all of it to the source's own host, and
    to no other, where only the proxy is the same. Pure.
    """
    if credentials is None or _server(url) == _server(source):
        return credentials
    return Credentials(proxy=credentials.proxy) if credentials.proxy else None


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
