"""Secrets of certificates and proxies: Flux's keys, its older ones, and what is said of a wrong one."""

from __future__ import annotations

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.oci.connections import trusting
from tidegate.oci.routes import Proxy, Route, Trust

NAME = "flux-system/way"


@pytest.mark.parametrize(
    ("data", "trust"),
    [
        ({"ca.crt": b"A"}, Trust(b"A")),
        ({"caFile": b"A"}, Trust(b"A")),
        ({"ca.crt": b"A", "caFile": b"old"}, Trust(b"A")),
        ({"tls.crt": b"C", "tls.key": b"K"}, Trust(b"", b"C", b"K")),
        ({"certFile": b"C", "keyFile": b"K", "caFile": b"A"}, Trust(b"A", b"C", b"K")),
        ({"tls.crt": b"C", "keyFile": b"K"}, Trust(b"", b"C", b"K")),
    ],
)
def test_certificates_are_read_under_both_names(data: dict[str, bytes], trust: Trust) -> None:
    assert Trust.from_secret(data, NAME) == trust


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "secret 'flux-system/way' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"),
        ({"ca.crt": b""}, "secret 'flux-system/way' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"),
        ({"tls.crt": b"C"}, "secret 'flux-system/way' contains 'tls.crt' but missing 'tls.key'"),
        ({"ca.crt": b"A", "keyFile": b"K"}, "secret 'flux-system/way' contains 'tls.key' but missing 'tls.crt'"),
    ],
)
def test_a_secret_without_what_is_needed_is_told_as_by_flux(data: dict[str, bytes], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Trust.from_secret(data, NAME)
    assert str(caught.value) == message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("data", "proxy"),
    [
        ({"address": b"http://proxy.example:3128"}, Proxy("http://proxy.example:3128")),
        ({"address": b" https://proxy.example \n"}, Proxy("https://proxy.example")),
        (
            {"address": b"http://proxy.example:3128", "username": b"me", "password": b"s3cret"},
            Proxy("http://proxy.example:3128", "me", "s3cret"),
        ),
        ({"address": b"http://me:s3cret@proxy.example:3128"}, Proxy("http://proxy.example:3128", "me", "s3cret")),
        (
            {"address": b"http://old:old@proxy.example:3128", "username": b"me", "password": b"s3cret"},
            Proxy("http://proxy.example:3128", "me", "s3cret"),
        ),
    ],
)
def test_a_proxy_has_its_login_beside_its_address(data: dict[str, bytes], proxy: Proxy) -> None:
    assert Proxy.from_secret(data, NAME) == proxy


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "secret 'flux-system/way': key 'address' not found"),
        ({"address": b" "}, "secret 'flux-system/way': proxy address is empty"),
        ({"address": b"\xff"}, "secret 'flux-system/way': key 'address' is no text"),
        ({"address": b"http://s3cret:port"}, "secret 'flux-system/way': failed to parse proxy address"),
        ({"address": b"http://" + b"s3cret" * 400}, "exceeds maximum length of 2048 characters"),
        ({"address": b"socks5://me:s3cret@proxy.example"}, "must use one of the supported schemes (http, https)"),
        ({"address": b"s3cret"}, "must use one of the supported schemes (http, https)"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_address(data: dict[str, bytes], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Proxy.from_secret(data, NAME)
    assert message in str(caught.value)
    assert "s3cret" not in caught.value.explain()


@pytest.mark.parametrize(
    ("trust", "message"),
    [
        (Trust(b"no certificate"), "failed to parse CA certificate"),
        (Trust(b"\xff\xfe"), "failed to parse CA certificate"),
        (Trust(b"", b"s3cret", b"s3cret"), "failed to parse TLS certificate and key"),
    ],
)
def test_certificates_that_are_none_fail_as_flux_says(trust: Trust, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        trusting(trust)
    assert str(caught.value) == f"failed to configure authentication options: {message}"
    assert caught.value.code == "AuthenticationFailed"
    assert "s3cret" not in caught.value.explain()


def test_no_secret_shows_in_a_repr() -> None:
    route = Route(Trust(b"A", b"C", b"s3cret"), Proxy("http://proxy.example", "me", "s3cret"))
    assert "s3cret" not in repr(route)
