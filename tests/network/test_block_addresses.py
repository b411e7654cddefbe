"""A home's block of addresses: away from every route of the machine, the same at every start, its own traces known."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.network.addresses import (
    LINKS,
    Owner,
    blocks_of,
    choose_block,
    link_of,
    local_addresses,
    networks_of,
)

TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        +-- 192.0.2.0/30 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
Id 52:
  |-- 10.201.0.0
     /16 link UNICAST
"""
OWNER = Owner(0x1A2B3C)


def test_every_route_of_every_table_counts_but_the_default():
    found = {str(network) for network in networks_of(TRIE)}
    assert found == {"192.0.2.0/24", "192.0.2.2/32", "192.0.2.255/32", "127.0.0.0/8", "127.0.0.1/32", "10.201.0.0/16"}


def test_the_machines_own_addresses_are_told_without_its_loopback():
    assert local_addresses(TRIE) == ("192.0.2.2",)


def test_a_block_is_the_same_at_every_start_and_other_homes_begin_elsewhere():
    assert choose_block(OWNER, []) == choose_block(Owner(0x1A2B3C), [])
    assert choose_block(OWNER, []) != choose_block(Owner(0x1A2B3D), [])


@given(st.integers(0, 2**24 - 1), st.lists(st.sampled_from(["10.0.0.0/8", "10.201.0.0/16", "172.16.0.0/12"])))
def test_a_block_is_private_and_overlaps_nothing_that_is_taken(number, taken):
    networks = [IPv4Network(one) for one in taken]
    block = choose_block(Owner(number), networks)
    assert block is not None
    assert block.is_private
    assert not any(block.overlaps(other) for other in networks)


def test_where_everything_is_taken_there_is_none():
    assert choose_block(OWNER, [IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")]) is None


def test_links_lie_in_the_block_and_share_no_address_and_no_name():
    block = choose_block(OWNER, [])
    links = [link_of(OWNER, block, slot) for slot in range(LINKS)]
    addresses = {address for link in links for address in (link.host, link.inside)}
    assert len(addresses) == 2 * LINKS
    assert all(IPv4Network(address).subnet_of(block) for address in addresses)
    assert len({link.name for link in links}) == LINKS
    assert links[0].name == "tide1a2b3c000"
    assert max(len(link.name) for link in links) <= 15  # IFNAMSIZ, with its zero


def test_a_home_knows_its_own_block_by_the_metric():
    routes = [
        {"type": "unreachable", "dst": "10.201.16.0/20", "metric": OWNER.metric},
        {"type": "unreachable", "dst": "10.201.32.0/20", "metric": Owner(1).metric},
        {"type": "unreachable", "dst": "10.9.0.0/16"},
    ]
    assert blocks_of(routes, OWNER) == ["10.201.16.0/20"]


@pytest.mark.parametrize("path", ["/home/ada/.local/share/tidegate", "/var/lib/tidegate"])
def test_an_owner_is_drawn_from_the_homes_path(path):
    assert Owner.of(Path(path)) == Owner.of(Path(path))
    assert 0 <= Owner.of(Path(path)).number < 2**24
    assert Owner.of(Path(path)) != Owner.of(Path("/somewhere/else"))
