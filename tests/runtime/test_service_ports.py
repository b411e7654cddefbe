"""Which loopback port a Service gets, and that it keeps it."""

from typing import Any

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runtime.services import COUNT, FIRST, PORTS, _candidates, _scheme, kept_ports, read_ports


def service(annotation: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {PORTS: annotation} if annotation is not None else {}}}


def test_the_port_depends_on_the_name_alone() -> None:
    first, again = (_candidates(None, None, "Service/shop/web:80", set()) for _ in range(2))
    assert first == again
    assert all(FIRST <= port < FIRST + COUNT for port in first)
    assert _candidates(None, None, "Service/shop/other:80", set()) != first


def test_a_node_port_comes_first_then_the_one_it_had() -> None:
    assert _candidates(30080, 20001, "x", set())[:2] == [30080, 20001]


def test_what_others_were_given_is_left_out_but_not_its_own() -> None:
    first = _candidates(None, None, "x", set())
    assert first[0] not in _candidates(None, None, "x", {first[0]})
    assert _candidates(None, first[0], "x", {first[0]})[0] == first[0]


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"a": 1}', '{"80": "x"}', "null", '{"80": 99999}'])
def test_a_broken_annotation_counts_as_none(text: str) -> None:
    assert kept_ports(service(text)) == {}


def test_kept_ports_are_read_back() -> None:
    assert kept_ports(service('{"80": 20001, "443": 20002}')) == {80: 20001, 443: 20002}
    assert kept_ports(service(None)) == {}


@pytest.mark.parametrize(
    ("number", "port", "scheme"),
    [
        (80, {"name": "http"}, "http"),
        (443, {}, "https"),
        (8443, {"name": "https-admin"}, "https"),
        (443, {"name": "web"}, "http"),
        (80, {"appProtocol": "https"}, "https"),
        (5432, {}, "http"),
    ],
)
def test_the_scheme_of_the_url(number: int, port: dict[str, Any], scheme: str) -> None:
    assert _scheme(number, port) == scheme


def test_ports_are_read_by_their_number() -> None:
    http, tls = {"port": 80, "targetPort": "http", "nodePort": 0}, {"port": 443, "nodePort": 30443}
    assert read_ports({"ports": [http, tls], "selector": {"app": "web"}}) == {80: http, 443: tls}
    assert read_ports({}) == {}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": "80"}, "spec.ports"),
        ({"ports": True}, "spec.ports"),
        ({"ports": [{"port": 80}] * 101}, "spec.ports"),
        ({"ports": [80]}, "spec.ports[0].port"),
        ({"ports": [{"port": 80}, {}]}, "spec.ports[1].port"),
        ({"ports": [{"port": 65536}]}, "spec.ports[0].port"),
        ({"ports": [{"port": True}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 80, "nodePort": -1}]}, "spec.ports[0].nodePort"),
        ({"ports": [{"port": 80, "targetPort": []}]}, "spec.ports[0].targetPort"),
        ({"selector": "app=web"}, "spec.selector"),
    ],
)
def test_a_wrong_field_of_a_service_is_named(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_ports(spec)
    assert error.value.where is not None
    assert error.value.where.field == field
