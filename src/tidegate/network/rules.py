"""nftables' rules, as the text that `nft --file -` reads: what a namespace may reach, on the host and inside. Pure.

Refused is answered at once, by ICMP, so that a program sees an error and no silence. Only IPv4 leads outside.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from tidegate.network.addresses import PREFIX, Owner

GUARD = "tidegate_forwarding"
"""The table that stands where a Tidegate has made the machine forward: between its older interfaces it doesn't."""
INSIDE = "tidegate"
_REFUSE = "reject with icmpx type admin-prohibited"
# Link-local (a cloud's metadata service), loopback, groups, and what no host may have.
_NOWHERE = "169.254.0.0/16, 127.0.0.0/8, 224.0.0.0/4, 240.0.0.0/4"
# Before the filters of others, after the tracking of connections.
_FILTER = "priority -10; policy accept;"


def host_rules(owner: Owner, block: IPv4Network, servers: Sequence[str]) -> str:
    """The home's table on the host, for all of its links, in place of an older one.

    `servers` are the name servers: port 53 is open there, also where the host itself is one. Another program's
    redirection (a published port of Docker) would lead round the chain `input`, so what was redirected is refused.
    """
    mine, all_links = f'"{owner.interfaces}*"', f'"{PREFIX}*"'
    names = _names(servers)
    return f"""{_anew("inet", owner.table)}
table inet {owner.table} {{
	chain input {{
		type filter hook input {_FILTER}
		iifname {mine} jump to_host
	}}
	chain to_host {{
		{names}
		{_REFUSE}
	}}
	chain output {{
		type filter hook output {_FILTER}
		oifname {mine} ct state new {_REFUSE}
	}}
	chain forward {{
		type filter hook forward {_FILTER}
		iifname {mine} jump leaving
		oifname {mine} ct state established,related accept
		oifname {mine} drop
	}}
	chain leaving {{
		meta nfproto ipv6 {_REFUSE}
		ip saddr != {block} drop
		oifname {all_links} {_REFUSE}
		ct status dnat {_REFUSE}
		{names}
		ip daddr {{ {_NOWHERE} }} {_REFUSE}
		ip daddr {block} {_REFUSE}
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr {block} oifname != {all_links} masquerade
	}}
}}
"""


def guard_rules(interfaces: Collection[str]) -> str:
    """Between the interfaces that were there before, nothing is forwarded: this machine was no router."""
    named = ", ".join(f'"{name}"' for name in sorted(interfaces))
    return f"""table ip {GUARD} {{
	set older {{
		type ifname
		{f"elements = {{ {named} }}" if named else ""}
	}}
	chain forward {{
		type filter hook forward {_FILTER}
		iifname @older oifname @older drop
	}}
}}
"""


def inside_rules(gateway: IPv4Network, servers: Sequence[str], local: Sequence[str]) -> str:
    """The table inside of a namespace whose traffic leaves through a program on the host.

    `gateway` is the network between the two, `local` the host's own addresses: that program would reach them all.
    """
    return f"""{_anew("inet", INSIDE)}
table inet {INSIDE} {{
	chain output {{
		type filter hook output {_FILTER}
		oifname "lo" accept
		meta nfproto ipv6 {_REFUSE}
		{_names(servers)}
		ip daddr {{ {_NOWHERE} }} {_REFUSE}
		ip daddr {gateway} {_REFUSE}
		{f"ip daddr {{ {', '.join(local)} }} {_REFUSE}" if local else ""}
	}}
}}
"""


def drop_table(family: str, name: str) -> str:
    """Remove a table, if it is there."""
    return _anew(family, name) + "\n"


def tables_of(listing: str) -> set[str]:
    """The names in the answer to `nft --json list tables`."""
    return {str(item["table"]["name"]) for item in _items(listing) if "table" in item}


def older_of(listing: str) -> set[str]:
    """The interfaces that the guard's set names, from `nft --json list set`."""
    sets = [item["set"] for item in _items(listing) if "set" in item]
    return {str(name) for one in sets for name in one.get("elem") or []}


def refusing(chains: str, legacy: str) -> str | None:
    """Who lets nothing be forwarded by default, so that a link would lead nowhere: of `nft --json list chains` and
    `iptables-legacy --list-rules FORWARD`.
    """
    for item in _items(chains):
        chain = item.get("chain") or {}
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain.get("family") != "ip6":
            return f"the chain {chain['name']} of the table {chain['table']}"
        if chain.get("table") == "firewalld":
            return "firewalld"
    return "iptables' chain FORWARD" if "-P FORWARD DROP" in legacy.splitlines() else None


def _names(servers: Sequence[str]) -> str:
    """The rule that opens the name servers; an empty line where there is none."""
    return f"ip daddr {{ {', '.join(servers)} }} meta l4proto {{ tcp, udp }} th dport 53 accept" if servers else ""


def _anew(family: str, name: str) -> str:
    """Adding before deleting: the latter fails for a table that is not there."""
    return f"table {family} {name}\ndelete table {family} {name}"


def _items(listing: str) -> list[Mapping[str, Any]]:
    items: list[Mapping[str, Any]] = json.loads(listing)["nftables"]
    return items
