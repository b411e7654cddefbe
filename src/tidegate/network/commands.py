"""The command lines of this room, and what `ip` reads from stdin. Pure, but for the look where a program lies."""

from __future__ import annotations

import os
import shutil
from ipaddress import IPv4Network

from tidegate.base.errors import MissingTool
from tidegate.network.addresses import Link, Owner

PACKAGES = {
    "ip": "iproute2", "iptables-legacy": "iptables", "nft": "nftables", "nsenter": "util-linux",
    "slirp4netns": "slirp4netns", "pasta": "passt",
}  # fmt: skip
SYSTEM = ":/usr/sbin:/sbin"
"""Where programs lie that an ordinary user's PATH may leave out."""
INSIDE_NAME = "eth0"
"""The interface's name in the namespace."""
MTU = 65520  # between a namespace and a program on the same host


def program(name: str) -> str:
    """Where a program lies, on PATH or in SYSTEM; MissingTool names its package."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + SYSTEM)
    if found is None:
        remedy = f"install it: apt-get install {PACKAGES[name]}"
        raise MissingTool(f"the program {name!r} is not installed", remedy=remedy)
    return found


def has(name: str) -> bool:
    """Whether a program is there."""
    try:
        program(name)
    except MissingTool:
        return False
    return True


def batch() -> list[str]:
    """`ip` for the lines on stdin; the first that fails ends it."""
    return [program("ip"), "-batch", "-"]


def rules() -> list[str]:
    """`nft` for the text on stdin: all of it takes effect, or nothing."""
    return [program("nft"), "--file", "-"]


def listing(*what: str) -> list[str]:
    """What nftables has, as JSON."""
    return [program("nft"), "--json", "list", *what]


def kept_blocks() -> list[str]:
    """The routes that lead nowhere, as JSON."""
    return [program("ip"), "-json", "-4", "route", "show", "type", "unreachable"]


def keep_block(owner: Owner, block: IPv4Network | str, *, verb: str = "add") -> list[str]:
    """Add (or with another verb, delete) the route that keeps a home's block: others see that it is taken."""
    return [program("ip"), "route", verb, "unreachable", str(block), "metric", str(owner.metric)]


def within(pid: int, argv: list[str], *, user: bool) -> list[str]:
    """A command in the network namespace of a process; with `user`, as root of its user namespace too."""
    also = ["--user", "--preserve-credentials"] if user else []
    return [program("nsenter"), f"--target={pid}", "--net", *also, "--", *argv]


def host_end(link: Link, pid: int) -> str:
    """Lines for `ip`: a pair of interfaces, one of them in the namespace of the process."""
    return (
        f"link add {link.name} type veth peer name {INSIDE_NAME} netns {pid}\n"
        f"address add {link.host}/30 dev {link.name}\n"
        f"link set {link.name} up\n"
    )


def inside_end(link: Link) -> str:
    """Lines for `ip` in the namespace: the address, and the way out."""
    return (
        f"address add {link.inside}/30 dev {INSIDE_NAME}\n"
        f"link set {INSIDE_NAME} up\n"
        f"route add default via {link.host}\n"
    )


def slirp4netns(pid: int, gateway: IPv4Network, *, user: bool) -> list[str]:
    """slirp4netns for the namespace of a process: no way to the host's loopback, and little that it may do itself."""
    # Its own sandbox is a mount namespace, which an ordinary user can't make by itself.
    apart = [f"--userns-path=/proc/{pid}/ns/user"] if user else ["--enable-sandbox"]
    return [
        program("slirp4netns"), "--configure", f"--mtu={MTU}", "--disable-host-loopback", "--enable-seccomp", *apart,
        f"--cidr={gateway}", "--netns-type=path", f"/proc/{pid}/ns/net", INSIDE_NAME,
    ]  # fmt: skip


def pasta(pid: int, gateway: IPv4Network) -> list[str]:
    """pasta for the namespace of a process: no port of either side is forwarded, the gateway is not the host."""
    first, address = str(gateway[2]), str(gateway[100])
    closed = [word for flag in ("-t", "-u", "-T", "-U") for word in (flag, "none")]
    return [
        program("pasta"), "--foreground", "--quiet", "--ipv4-only", "--config-net", "--no-map-gw", *closed,
        "--address", address, "--netmask", str(gateway.prefixlen), "--gateway", first, "--ns-ifname", INSIDE_NAME,
        str(pid),
    ]  # fmt: skip


def slirp4netns_resolver(gateway: IPv4Network) -> str:
    """The address under which slirp4netns passes questions on to the host's own name server (slirp4netns(1))."""
    return str(gateway[3])
