"""Asking a host for refs without git: what is sent, which answers count, and which remotes are left to git."""

import base64

import httpx2
import pytest
from tests.oci.fake_registry import streamed

from tidegate.git.quick_refs import QuickRefs, parse_answer, question
from tidegate.git.remote import Credentials, Remote
from tidegate.git.smart_http import is_plain

URL = "https://git.example/acme/shop.git"
ONE, TWO = "1" * 40, "2" * 40
HEADERS = {"content-type": "application/x-git-upload-pack-result"}


@pytest.fixture(autouse=True)
def _authorities(monkeypatch):
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def line(text):
    return b"%04x" % (len(text) + 5) + text.encode() + b"\n"


def host(*answers):
    """A transport that gives these answers in turn, the last one for ever, and the requests that it got."""
    seen, left = [], list(answers)

    def answer(request):
        seen.append(request)
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        return streamed(given)

    return httpx2.MockTransport(answer), seen


def says(*lines, status=200, headers=HEADERS, end=b"0000"):
    return httpx2.Response(status, content=b"".join(map(line, lines)) + end, headers=headers)


async def test_one_request_tells_where_refs_are():
    transport, seen = host(
        says(f"{ONE} refs/heads/main", f"{ONE} refs/heads/main2", f"{TWO} refs/tags/v1 peeled:{ONE}")
    )
    credentials = Credentials(username="me", password="secret")
    asked = ["refs/heads/main", "refs/tags/v1", "refs/heads/none"]
    quick = QuickRefs(transport)
    found = await quick.ask(Remote(URL, credentials), asked, timeout=10)
    assert found == {"refs/heads/main": ONE, "refs/tags/v1": ONE}
    (request,) = seen
    assert str(request.url) == f"{URL}/git-upload-pack"
    assert request.headers["authorization"] == f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert request.headers["git-protocol"] == "version=2"
    assert request.content == question(asked)


def test_the_question_is_the_protocol_s():
    asked = question(["HEAD"])
    assert asked == b"0014command=ls-refs\n0017object-format=sha1\n0001" + b"0009peel\n0014ref-prefix HEAD\n0000"


@pytest.mark.parametrize(
    "answer",
    [
        says("ERR no such command"),
        says(f"{ONE} refs/heads/main", end=b""),
        says(f"{ONE} refs/heads/main", end=b"00000000"),
        says(f"{ONE} refs/heads/main", headers={"content-type": "text/html"}),
        says("Moved", status=301, headers={"location": "https://elsewhere.example/"}),
        says(status=500),
        httpx2.Response(200, content=b"00zz", headers=HEADERS),
        httpx2.Response(200, content=b"00ffshort", headers=HEADERS),
        httpx2.Response(200, content=b"0001" + b"0000", headers=HEADERS),
    ],
)
async def test_whoever_answers_otherwise_is_left_to_git_for_good(answer):
    transport, seen = host(answer, says(f"{ONE} refs/heads/main"))
    quick = QuickRefs(transport)
    for _ in range(2):
        assert await quick.ask(Remote(URL), ["refs/heads/main"], timeout=10) is None
    assert len(seen) == 1


@pytest.mark.parametrize(
    "answer", [says(status=401), says(status=403), says(status=404), httpx2.ConnectError("no route")], ids=repr
)
async def test_whoever_refuses_or_is_away_is_asked_again(answer):
    transport, _ = host(answer, says(f"{ONE} refs/heads/main"))
    quick = QuickRefs(transport)
    assert await quick.ask(Remote(URL), ["refs/heads/main"], timeout=10) is None
    assert await quick.ask(Remote(URL), ["refs/heads/main"], timeout=10) == {"refs/heads/main": ONE}


async def test_an_answer_without_end_is_not_read(monkeypatch):
    monkeypatch.setattr("tidegate.git.smart_http.ANSWER_LIMIT", 1000)
    transport, _ = host(says(*(f"{ONE} refs/heads/{number}" for number in range(100))))
    assert await QuickRefs(transport).ask(Remote(URL), ["refs/heads/main"], timeout=10) is None


def test_an_empty_repository_has_no_refs():
    assert parse_answer(b"0000") == {}


@pytest.mark.parametrize(
    ("remote", "plain"),
    [
        (Remote(URL), True),
        (Remote(URL, Credentials()), True),
        (Remote(URL, Credentials(bearer_token="t")), True),
        (Remote("http://127.0.0.1:1/x"), True),
        (Remote("http://git.example/x", allow_http=True), True),
        (Remote(URL, Credentials(ca_file=b"pem")), False),
        (Remote(URL, Credentials(username="me", password="x", client_certificate=b"pem", client_key=b"pem")), False),
        (Remote("ssh://git@git.example/x", Credentials(identity=b"k", known_hosts=b"h")), False),
    ],
)
def test_only_a_password_or_a_token_is_known_here(monkeypatch, remote, plain):
    assert is_plain(remote) is plain
    monkeypatch.setenv("GIT_SSL_CAINFO", "/etc/ca.pem")
    assert is_plain(remote) is (plain and remote.protocol == "http")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ca.pem")
    assert is_plain(remote) is plain
