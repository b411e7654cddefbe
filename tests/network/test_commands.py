"""The command lines: what closes the host's loopback is in each of them."""

from ipaddress import IPv4Network

import pytest

from tidegate.base.errors import MissingTool
from tidegate.network import commands
from tidegate.network.addresses import Link, Owner

GATEWAY = IPv4Network("10.201.7.0/24")
LINK = Link("tide1a2b3c000", "10.201.16.1", "10.201.16.2")


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    monkeypatch.setattr(commands, "program", lambda name: name)


def test_slirp4netns_has_no_way_to_the_hosts_loopback():
    start = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-seccomp"]
    end = ["--cidr=10.201.7.0/24", "--netns-type=path", "/proc/12/ns/net", "eth0"]
    assert commands.slirp4netns(12, GATEWAY, user=True) == [*start, "--userns-path=/proc/12/ns/user", *end]
    assert commands.slirp4netns(12, GATEWAY, user=False) == [*start, "--enable-sandbox", *end]


def test_pasta_forwards_no_port_and_its_gateway_is_not_the_host():
    assert commands.pasta(12, GATEWAY) == [
        "pasta", "--foreground", "--quiet", "--ipv4-only", "--config-net", "--no-map-gw",
        "-t", "none", "-u", "none", "-T", "none", "-U", "none",
        "--address", "10.201.7.100", "--netmask", "24", "--gateway", "10.201.7.2", "--ns-ifname", "eth0", "12",
    ]  # fmt: skip


def test_a_link_is_made_from_both_ends():
    assert commands.host_end(LINK, 12).splitlines() == [
        "link add tide1a2b3c000 type veth peer name eth0 netns 12",
        "address add 10.201.16.1/30 dev tide1a2b3c000",
        "link set tide1a2b3c000 up",
    ]
    assert commands.inside_end(LINK).splitlines() == [
        "address add 10.201.16.2/30 dev eth0",
        "link set eth0 up",
        "route add default via 10.201.16.1",
    ]


def test_a_namespace_of_an_ordinary_user_is_entered_as_its_root():
    assert commands.within(12, ["nft"], user=True) == [
        "nsenter", "--target=12", "--net", "--user", "--preserve-credentials", "--", "nft",
    ]  # fmt: skip
    assert commands.within(12, ["nft"], user=False) == ["nsenter", "--target=12", "--net", "--", "nft"]


def test_a_block_is_kept_by_a_route_that_only_this_home_has():
    metric = str(Owner(0x1A2B3C).metric)
    assert commands.keep_block(Owner(0x1A2B3C), IPv4Network("10.201.16.0/20")) == [
        "ip", "route", "add", "unreachable", "10.201.16.0/20", "metric", metric,
    ]  # fmt: skip


def test_a_missing_program_names_its_package(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(MissingTool) as caught:
        commands.program("nft")
    assert caught.value.remedy == "install it: apt-get install nftables"
