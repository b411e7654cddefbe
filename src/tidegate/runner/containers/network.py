"""The network of a job's services: a bridge in the job's own network namespace, one address for each. Nothing of it is
on the machine's own network, and it goes with the namespace. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.runner.containers.wanted import Port, Wanted

BRIDGE = "services"
NETWORK = "10.253.253"
LENGTH = 24
FIRST_FREE_PORT = 49_152


@frozen
class Forward:
    """A port of the job's localhost, and where in a service it leads."""

    host: int
    address: str
    port: int
    protocol: str


def address(place: int) -> str:
    """The address of the service at that place, from 0."""
    return f"{NETWORK}.{place + 2}"


def bridge_lines() -> str:
    """Lines for `ip` in the job's namespace."""
    return (
        f"link add {BRIDGE} type bridge\n"
        f"address add {NETWORK}.1/{LENGTH} dev {BRIDGE}\n"
        f"link set {BRIDGE} up\n"
    )  # fmt: skip


def job_end_lines(place: int, pid: int) -> str:
    """Lines for `ip` in the job's namespace: a pair of interfaces, one end of it the container's of process `pid`."""
    name = f"service{place}"
    return f"link add {name} type veth peer name eth0 netns {pid}\nlink set {name} master {BRIDGE} up\n"


def service_end_lines(place: int) -> str:
    """Lines for `ip` in a container's namespace."""
    return (
        "link set lo up\n"
        f"address add {address(place)}/{LENGTH} dev eth0\n"
        "link set eth0 up\n"
        f"route add default via {NETWORK}.1\n"
    )


def ports_of(services: Sequence[Wanted]) -> dict[str, dict[Port, int]]:
    """For each service the ports of the job's localhost; the free ones are from the dynamic range."""
    taken = {(port.host, port.protocol) for one in services for port in one.ports if port.host}
    free, found = FIRST_FREE_PORT, dict[str, dict[Port, int]]()
    for one in services:
        found[one.name] = {}
        for port in one.ports:
            host = port.host
            if host is None:
                while (free, port.protocol) in taken:
                    free += 1
                host = free
                taken.add((host, port.protocol))
            found[one.name][port] = host
    return found


def forwards(services: Sequence[Wanted], ports: Mapping[str, Mapping[Port, int]]) -> list[Forward]:
    """What a job outside of a container is to reach at its localhost."""
    return [
        Forward(host, address(place), port.container, port.protocol)
        for place, one in enumerate(services)
        for port, host in ports[one.name].items()
    ]


def hosts_text(own: str, names: Iterable[tuple[str, str]]) -> str:
    """/etc/hosts of a container, `own` its own name."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost", f"127.0.1.1 {own}"]
    return "\n".join([*lines, *(f"{place} {name}" for name, place in names), ""])
