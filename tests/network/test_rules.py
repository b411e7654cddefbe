"""The rules as nftables reads them: what they say, and that nothing is taken from others."""

import json
import os
import subprocess
from ipaddress import IPv4Network

import pytest

from tidegate.network.addresses import Owner
from tidegate.network.commands import has, program
from tidegate.network.rules import (
    GUARD,
    drop_table,
    guard_rules,
    host_rules,
    inside_rules,
    older_of,
    refusing,
    tables_of,
)

OWNER, BLOCK = Owner(0x1A2B3C), IPv4Network("10.201.16.0/20")
ALL = [
    host_rules(OWNER, BLOCK, ["192.0.2.53", "169.254.169.254"]),
    host_rules(OWNER, BLOCK, []),
    guard_rules({"eth0", "wlan0"}),
    guard_rules(set()),
    inside_rules(IPv4Network("10.201.7.0/24"), ["10.201.7.3"], ["192.0.2.2", "169.254.3.4", "10.201.7.9"]),
    inside_rules(IPv4Network("10.201.7.0/24"), [], []),
    drop_table("inet", OWNER.table),
]


@pytest.mark.parametrize("text", ALL)
@pytest.mark.skipif(not has("nft"), reason="nft is not installed: apt-get install nftables")
def test_nft_takes_them_twice_over(text):
    """In a namespace of their own; the second time in place of the first."""
    command = ["unshare", "--net", *(["--user", "--map-root-user"] if os.geteuid() else []), program("nft"), "-f", "-"]
    twice = f"{text}\n{text}" if GUARD not in text else text
    done = subprocess.run(command, input=twice, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_only_the_homes_own_table_is_touched():
    text = host_rules(OWNER, BLOCK, [])
    named = {line.split()[-1].strip("{ ") for line in text.splitlines() if line.startswith(("table", "delete table"))}
    assert named <= {"tidegate_1a2b3c", ""}
    assert "flush ruleset" not in text


def test_names_are_asked_before_link_local_is_refused():
    """A cloud's name server may be at the metadata service's address (GCP): port 53 of it is open, nothing else."""
    leaving = host_rules(OWNER, BLOCK, ["169.254.169.254"]).partition("chain leaving")[2]
    assert leaving.index("dport 53 accept") < leaving.index("169.254.0.0/16")


def test_the_answers_of_nft_are_read():
    listing = json.dumps({"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "tidegate_1"}}]})
    assert tables_of(listing) == {"tidegate_1"}
    assert older_of(json.dumps({"nftables": [{"set": {"name": "older", "elem": ["eth0", "wlan0"]}}]})) == {
        "eth0",
        "wlan0",
    }
    assert older_of(json.dumps({"nftables": [{"set": {"name": "older"}}]})) == set()


def chains(**chain: str) -> str:
    return json.dumps({"nftables": [{"metainfo": {}}, {"chain": {"family": "ip", "name": "FORWARD", **chain}}]})


@pytest.mark.parametrize(
    ("listing", "legacy", "who"),
    [
        (chains(table="filter", hook="forward", policy="drop"), "", "the chain FORWARD of the table filter"),
        (chains(table="firewalld"), "", "firewalld"),
        (chains(table="filter", hook="forward", policy="accept"), "-P FORWARD DROP\n", "iptables' chain FORWARD"),
        (chains(table="filter", hook="forward", policy="accept"), "-P FORWARD ACCEPT\n", None),
        (chains(table="filter", hook="input", policy="drop"), "", None),
        (chains(table="filter", hook="forward", policy="drop", family="ip6"), "", None),
    ],
)
def test_a_firewall_that_lets_nothing_through_is_seen(listing, legacy, who):
    assert refusing(listing, legacy) == who
