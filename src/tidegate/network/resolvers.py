"""Which name servers a namespace can ask, and the resolv.conf that says so. Pure but for `host_files`.

A stub on the host's loopback (systemd-resolved, a local dnsmasq) can't be reached from another namespace: what it asks
itself is taken instead, where it tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from tidegate.base.frozen import frozen

RESOLV_CONF = Path("/etc/resolv.conf")
FILES = (
    RESOLV_CONF,
    Path("/run/systemd/resolve/resolv.conf"),
    Path("/run/NetworkManager/no-stub-resolv.conf"),
)
"""The first one with a server that is not on loopback counts."""
SERVERS = 3
"""How many the C library heeds (resolv.conf(5), MAXNS)."""
FILE_LIMIT = 64 * 1024


@frozen
class Resolvers:
    """`servers` are IPv4 addresses, none on loopback; `rest` are the lines `search` and `options` of the host."""

    servers: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()

    def as_file(self, server: str | None = None) -> str:
        """The text of a resolv.conf; `server` alone is named where it is given."""
        named = (server,) if server else self.servers
        return "".join([f"{line}\n" for line in (*(f"nameserver {one}" for one in named), *self.rest)])


def read(files: Mapping[Path, str]) -> Resolvers:
    """From the texts of resolv.conf files, by their paths, to what is reachable from a namespace."""
    own = [line.split() for line in files.get(RESOLV_CONF, "").splitlines()]
    rest = tuple(" ".join(words) for words in own if words and words[0] in ("search", "domain", "options"))
    for path in FILES:
        servers = _servers(files.get(path, "").splitlines())
        if servers:
            return Resolvers(tuple(servers[:SERVERS]), rest)
    return Resolvers((), rest)


def _servers(lines: Sequence[str]) -> list[str]:
    found = []
    for line in lines:
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = IPv4Address(words[1])
        except ValueError:
            continue  # IPv6 leads nowhere inside
        if not (address.is_loopback or address.is_unspecified):
            found.append(str(address))
    return found


def host_files() -> dict[Path, str]:
    """The texts of this machine's files; one that can't be read says nothing."""
    found = {}
    for path in FILES:
        try:
            with path.open("rb") as file:
                found[path] = file.read(FILE_LIMIT).decode("utf-8", "replace")
        except OSError:
            continue
    return found
