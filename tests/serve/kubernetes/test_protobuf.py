"""Protobuf bodies: what kubectl's subcommands send is read, what isn't known is never lost silently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import TidegateError
from tidegate.serve.kubernetes.protobuf import MAGIC, decode
from tidegate.serve.kubernetes.protobuf_messages import MESSAGES
from tidegate.serve.kubernetes.status import BadRequest, UnsupportedMediaType

PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf"}
SCALARS = {"text", "flag", "integer", "bytes", "time", "either", "quantity"}


def varint(value):
    value %= 1 << 64
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field of the wire format: a number, bytes, or a text."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version, kind, message):
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, message) + field(3, "") + field(4, "")


def metadata(name, extra=b""):
    empty_time = field(8, b"")
    return field(1, field(1, name) + field(2, "") + field(3, "") + field(7, 0) + empty_time + extra)


def test_a_secret():
    data = field(1, "a") + field(2, "hidden")
    message = metadata("s", field(11, field(1, "app") + field(2, "web"))) + field(2, data) + field(3, "Opaque")
    assert decode(body("v1", "Secret", message)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"app": "web"}},
        "data": {"a": "aGlkZGVu"},
        "type": "Opaque",
    }


def test_a_pointer_keeps_its_zero_and_a_plain_zero_is_left_out():
    spec = field(1, 0) + field(5, 0) + field(4, b"")
    assert decode(body("apps/v1", "Deployment", metadata("d") + field(2, spec)))["spec"] == {"replicas": 0}


def test_negative_numbers_times_and_either():
    message = field(1, field(1, "p") + field(8, field(1, 1768478400))) + field(2, -5)
    decoded = decode(body("scheduling.k8s.io/v1", "PriorityClass", message))
    assert decoded["value"] == -5
    assert decoded["metadata"]["creationTimestamp"] == "2026-01-15T12:00:00Z"
    ports = field(1, field(3, 80) + field(4, field(1, 0) + field(2, 8080)))
    ports += field(1, field(3, 81) + field(4, field(1, 1) + field(3, "http")))
    decoded = decode(body("v1", "Service", metadata("s") + field(2, ports)))
    assert decoded["spec"]["ports"] == [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "http"}]


def test_a_rule_of_an_ingress_stands_in_its_place():
    service = field(4, field(1, "web") + field(2, field(2, 80)))
    path = field(1, "/x") + field(3, "Exact") + field(2, service)
    rule = field(1, "a.b") + field(2, field(1, field(1, path)))
    spec = decode(body("networking.k8s.io/v1", "Ingress", metadata("i") + field(2, field(3, rule))))["spec"]
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    assert spec == {
        "rules": [{"host": "a.b", "http": {"paths": [{"path": "/x", "pathType": "Exact", "backend": backend}]}}]
    }


def test_unknown_fields_that_are_empty_are_passed_over():
    status = field(3, field(1, 0) + field(2, ""))
    assert "status" not in decode(body("apps/v1", "Deployment", metadata("d") + status))


def test_unknown_fields_that_hold_something_are_refused():
    affinity = field(2, field(3, field(2, field(18, field(1, field(1, "x"))))))
    with pytest.raises(UnsupportedMediaType, match="field 18 of a PodSpec") as error:
        decode(body("apps/v1", "Deployment", metadata("d") + affinity))
    assert "kubectl apply" in error.value.remedy


def test_unknown_kinds_are_refused():
    with pytest.raises(UnsupportedMediaType, match="a Node in protobuf"):
        decode(body("v1", "Node", b""))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        MAGIC + b"\x0a",
        MAGIC + b"\x0a\x05ab",
        MAGIC + b"\x80" * 20,
        MAGIC + b"\x0b\x00",
        body("v1", "Secret", field(1, 7)),
        body("v1", "Secret", field(3, b"\xff\xfe")),
        body("scheduling.k8s.io/v1", "PriorityClass", field(2, b"x")),
        body("v1", "Secret", field(1, field(8, field(1, 1 << 62)))),
    ],
)
def test_broken_bodies(data):
    with pytest.raises((BadRequest, UnsupportedMediaType)):
        decode(data)


@given(st.binary(max_size=200), st.sampled_from(sorted(MESSAGES)))
def test_no_bytes_break_the_reader(data, kind):
    for attempt in (MAGIC + data, body("v1", kind, data)):
        try:
            decode(attempt)
        except TidegateError:
            continue


def test_every_type_in_the_tables_is_known():
    for message, text in MESSAGES.items():
        for part in text.split(";"):
            number, name, sort = part.split()
            assert int(number) > 0
            assert name
            assert sort.strip("[]{}!") in SCALARS | MESSAGES.keys(), message


async def test_the_door_takes_protobuf_and_answers_json(http):
    data = body("v1", "ConfigMap", metadata("c") + field(2, field(1, "a") + field(2, "1")))
    answer = await http.post("/api/v1/namespaces/web/configmaps", content=data, headers=PROTOBUF)
    assert answer.status_code == 201
    assert answer.json()["data"] == {"a": "1"}
    wrong = await http.post("/api/v1/namespaces/web/configmaps", content=b"no", headers=PROTOBUF)
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "BadRequest")
