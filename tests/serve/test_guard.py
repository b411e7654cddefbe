"""The guard before the doors: whose Host is ours, whose page may write."""

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tidegate.serve.guard import Guard, is_known, refuse

HOSTS = frozenset({"localhost", "pi.local"})


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST:8080".lower(), True),
        ("127.0.0.1:8080", True),
        ("192.168.1.7", True),
        ("[::1]:8080", True),
        ("[::1]", True),
        ("pi.local:80", True),
        ("pi.local.:80", True),
        ("app.localhost", True),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("notpi.local", False),
        ("localhost:port", False),
        ("localhost:80:80", False),
        ("[::1", False),
        ("[::1]x", False),
        ("::1", False),
        ("", False),
        ("user@localhost", False),
        ("localhost/", False),
    ],
)
def test_hosts(host, known):
    assert is_known(host, HOSTS) == known


def asked(method="POST", *, scheme="http", **headers):
    given = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = refuse(method, scheme, {name: [value] for name, value in given.items()}, HOSTS)
    return None if answer is None else answer[0]


def test_programs_that_tell_no_origin_pass():
    assert asked() is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_pages_of_other_sites_can_t_write(method):
    assert asked(method, origin="https://evil.example") == 403
    assert asked(method, origin="null") == 403
    assert asked(method, sec_fetch_site="cross-site") == 403
    assert asked(method, sec_fetch_site="same-site") == 403


def test_another_port_or_scheme_is_another_origin():
    assert asked(origin="http://localhost:9090") == 403
    assert asked(origin="https://localhost:8080") == 403
    assert asked(origin="https://localhost:8080", scheme="https") is None


def test_our_own_page_may_write():
    assert asked(origin="http://localhost:8080", sec_fetch_site="same-origin") is None
    assert asked(sec_fetch_site="none") is None


def test_reading_needs_a_known_host_only():
    assert asked("GET", origin="https://evil.example", sec_fetch_site="cross-site") is None
    assert asked("GET", host="evil.example") == 421


def test_one_host_and_no_more():
    assert refuse("GET", "http", {}, HOSTS) == (400, "a request names one Host")
    assert refuse("GET", "http", {"host": ["localhost", "localhost"]}, HOSTS) is not None


def test_two_origins_must_both_be_ours():
    headers = {"host": ["localhost"], "origin": ["http://localhost", "https://evil.example"]}
    assert refuse("POST", "http", headers, HOSTS) is not None


@pytest.fixture
async def http():
    reached = []

    async def endpoint(request):
        reached.append(request.method)
        return PlainTextResponse("ok", headers={"X-Content-Type-Options": "own"})

    app = Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])])
    transport = httpx2.ASGITransport(app=Guard(app, ["Pi.Local"]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        client.reached = reached
        yield client


async def test_a_refused_request_reaches_no_door(http):
    answer = await http.post("/", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert (await http.get("/", headers={"Host": "evil.example"})).status_code == 421
    assert http.reached == []


async def test_answers_can_t_be_used_by_other_sites(http):
    answer = await http.get("/", headers={"Host": "pi.local:8080"})
    assert answer.text == "ok"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers.get_list("x-content-type-options") == ["own"]


async def test_what_is_no_request_passes():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await Guard(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
