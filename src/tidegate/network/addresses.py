"""The addresses and names of a home's links: a block of private addresses that no route of the machine has. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from tidegate.base.frozen import frozen

PREFIX = "tide"
"""How the names of all Tidegates' interfaces begin."""
LINKS = 1024
# Away from what others take by themselves: Docker 172.17–31, podman 10.88, k3s 10.42 and 10.43, kubeadm 10.244 and
# 10.96, slirp 10.0.2, home networks 192.168.0–1 and 10.0.
_SPACES = ("10.201.0.0/16", "10.202.0.0/16", "10.213.0.0/16", "192.168.192.0/19", "172.30.0.0/16")
_BLOCK = 20


@frozen
class Owner:
    """What tells a home's traces from those of others on this machine. `number` has 24 bits, drawn from its path."""

    number: int

    @classmethod
    def of(cls, home: Path) -> Owner:
        digest = hashlib.sha256(str(home.resolve()).encode()).digest()
        return cls(int.from_bytes(digest[:3], "big"))

    @property
    def table(self) -> str:
        """The home's table of rules."""
        return f"tidegate_{self.number:06x}"

    @property
    def interfaces(self) -> str:
        """How the names of the home's interfaces begin."""
        return f"{PREFIX}{self.number:06x}"

    @property
    def metric(self) -> int:
        """The metric of the route that keeps the home's block: no other route has it."""
        return 0x5400_0000 | self.number


@frozen
class Link:
    """One namespace's way to the host: the name of the host's end, and both ends' addresses in a /30."""

    name: str
    host: str
    inside: str


def link_of(owner: Owner, block: IPv4Network, slot: int) -> Link:
    """The link of a slot, of which there are LINKS."""
    first = int(block.network_address) + 4 * slot
    return Link(f"{owner.interfaces}{slot:03x}", str(IPv4Address(first + 1)), str(IPv4Address(first + 2)))


def choose_block(owner: Owner, taken: Iterable[IPv4Network], length: int = _BLOCK) -> IPv4Network | None:
    """A private network that overlaps none of the others, tried from a place that the home decides; by its default
    `length` it has LINKS links.
    """
    blocks = [block for space in _SPACES for block in IPv4Network(space).subnets(new_prefix=length)]
    used = list(taken)
    start = owner.number % len(blocks)
    turned = blocks[start:] + blocks[:start]
    return next((block for block in turned if not any(block.overlaps(other) for other in used)), None)


def networks_of(trie: str) -> list[IPv4Network]:
    """What the routes of all tables lead to, but for defaults, from /proc/net/fib_trie."""
    found = []
    for address, words in _leaves(trie):
        length = int(words[0][1:])
        if length:
            found.append(IPv4Network(f"{address}/{length}", strict=False))
    return found


def blocks_of(routes: Sequence[Mapping[str, Any]], owner: Owner) -> list[str]:
    """The blocks that the home keeps by a route, from `ip -json route show type unreachable`."""
    return [str(route["dst"]) for route in routes if route.get("metric") == owner.metric]


def local_addresses(trie: str) -> tuple[str, ...]:
    """This machine's own IPv4 addresses but those of loopback, from /proc/net/fib_trie; sorted."""
    local = {address for address, words in _leaves(trie) if words[:3] == ["/32", "host", "LOCAL"]}
    return tuple(sorted(address for address in local if not IPv4Address(address).is_loopback))


def _leaves(trie: str) -> Iterator[tuple[str, list[str]]]:
    """Each route's destination, and the words of its line: the length of the prefix, the scope, the type."""
    address = ""
    for line in trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            address = words[1]
        elif address and words and words[0].startswith("/"):
            yield address, words
