"""What a program that reaches the network is given of the host's settings."""

import pytest

from tidegate.base.process import minimal_environment, network_settings


def test_only_proxy_and_ca_settings_are_passed_on():
    host = {"HTTPS_PROXY": "http://p:1", "SSL_CERT_FILE": "/ca.pem", "TOKEN": "secret", "HOME": "/root"}
    assert set(network_settings(host)) == {"HTTPS_PROXY", "SSL_CERT_FILE", "NO_PROXY", "no_proxy"}


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": ".corp"}, ".corp,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,localhost,127.0.0.1,::1"),
    ],
)
def test_no_proxy_is_asked_for_this_machine(proxy, said, passed):
    found = network_settings({proxy: "http://p:1", **said})
    assert (found["no_proxy"], found["NO_PROXY"]) == (passed, passed)


def test_where_no_proxy_is_wanted_at_all_it_stays_so():
    assert network_settings({"https_proxy": "http://p:1", "NO_PROXY": "*"})["NO_PROXY"] == "*"


def test_without_a_proxy_nothing_is_said_of_one():
    assert network_settings({"SSL_CERT_FILE": "/ca.pem"}) == {"SSL_CERT_FILE": "/ca.pem"}


def test_a_program_that_needs_no_network_is_told_nothing_of_it(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    assert set(minimal_environment()) == {"PATH", "LC_ALL"}
    assert "HTTPS_PROXY" in minimal_environment(network=True)
