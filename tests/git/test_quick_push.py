"""Pushing by one request: what is sent, what the answers mean, and what is left to git."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oci.fake_registry import streamed

from tidegate.base.errors import CommandFailed, Conflict, Denied
from tidegate.git.mirror import explain_push
from tidegate.git.packets import FLUSH, packet
from tidegate.git.quick_push import QuickPushes, Report, parse_report, request
from tidegate.git.remote import Credentials, Remote
from tidegate.git.repository import Repository
from tidegate.git.values import Signature

URL = "https://git.example/acme/shop.git"
REF = "refs/heads/main"
ONE, TWO = "1" * 40, "2" * 40
HEADERS = {"content-type": "application/x-git-receive-pack-result"}
ME = Signature("Me", "me@example.org")


@pytest.fixture(autouse=True)
def _authorities(monkeypatch):
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def answer(*lines, said=b"", fatal=b""):
    """A report in its bands, as git's receive-pack sends it."""
    report = b"".join(packet(line + b"\n") for line in lines) + FLUSH
    words = packet(b"\2" + said) if said else b""
    return words + packet(b"\1" + report) + (packet(b"\3" + fatal) if fatal else b"") + FLUSH


TAKEN = answer(b"unpack ok", b"ok " + REF.encode())


@pytest.mark.parametrize(
    ("given", "report"),
    [
        (TAKEN, Report(None)),
        (answer(b"unpack ok", b"ok " + REF.encode(), said=b"Welcome\n"), Report(None, "Welcome\n")),
        (
            answer(b"unpack ok", b"ng refs/heads/main pre-receive hook declined", said=b"no\n"),
            Report("pre-receive hook declined", "no\n"),
        ),
        (answer(b"unpack ok", b"ng refs/heads/main failed to update ref"), Report("failed to update ref")),
        (answer(b"unpack ok", b"ng refs/heads/main bad ref"), None),
        (answer(b"unpack index-pack abnormal exit", b"ng refs/heads/main unpacker error"), None),
        (answer(b"unpack ok", b"ok refs/heads/other"), None),
        (answer(b"unpack ok", b"ok " + REF.encode(), fatal=b"died"), None),
        (b"", None),
        (TAKEN[:-4], None),
        (TAKEN + b"x", None),
        (b"<html>", None),
    ],
)
def test_answers(given, report):
    assert parse_report(given, REF) == report


@given(st.binary(max_size=80))
def test_garbage_is_no_answer(given):
    assert parse_report(given, REF) is None


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("failed to update ref", Conflict),
        ("cannot lock ref 'refs/heads/main': is at 3 but expected 1", Conflict),
        ("protected branch hook declined", Denied),
    ],
)
def test_a_refusal_means_what_the_same_words_of_git_mean(reason, kind):
    output = Report(reason, "remote words\n").as_git_tells(URL, ONE, REF)
    error = explain_push(CommandFailed("x", exit_code=1, output=output), URL, "main")
    assert type(error) is kind
    assert reason in str(error)


def test_the_request_says_where_the_branch_is_thought_to_be():
    body = request(REF, ONE, TWO, b"PACK...")
    line, _, rest = body[4:].partition(b"\0")
    assert line == f"{ONE} {TWO} {REF}".encode()
    assert b" report-status side-band-64k " in rest
    assert rest.endswith(b"0000PACK...")
    assert int(body[:4], 16) == len(body) - len(b"0000PACK...")


@pytest.fixture
async def made(tmp_path):
    repository = Repository(tmp_path / "one.git")
    await repository.init()
    old = await repository.write_commit(None, {"a": b"1\n"}, author=ME, message="one\n")
    return repository.path, old, await repository.write_commit(old, {"a": b"2\n"}, author=ME, message="two\n")


def host(*answers):
    seen, left = [], list(answers)

    def said(request):
        seen.append(request)
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        return streamed(given)

    return QuickPushes(httpx2.MockTransport(said)), seen


def ok(content=TAKEN, status=200, headers=HEADERS):
    return httpx2.Response(status, content=content, headers=headers)


async def push(quick, made, remote=None):
    path, old, new = made
    return await quick.push(path, remote or Remote(URL), new, REF, old, timeout=10)


async def test_one_request_pushes_with_the_credential(made):
    quick, seen = host(ok())
    report = await push(quick, made, Remote(URL, Credentials(username="me", password="secret")))
    assert report == Report(None)
    (one,) = seen
    assert str(one.url) == f"{URL}/git-receive-pack"
    assert one.headers["authorization"].startswith("Basic ")
    assert b"PACK" in one.content


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_who_is_not_let_in_is_asked_again_the_next_time(made, status):
    quick, seen = host(ok(b"", status), ok())
    assert await push(quick, made) is None
    assert await push(quick, made) == Report(None)
    assert len(seen) == 2


@pytest.mark.parametrize("other", [ok(b"<html>", headers={"content-type": "text/html"}), ok(b"", 500), ok(b"nonsense")])
async def test_a_host_that_answers_otherwise_is_left_to_git_from_then_on(made, other):
    quick, seen = host(other)
    assert await push(quick, made) is None
    assert await push(quick, made) is None
    assert len(seen) == 1


async def test_a_broken_connection_is_left_to_git(made):
    quick, _ = host(httpx2.ReadError("cut"))
    assert await push(quick, made) is None


@pytest.mark.parametrize(
    "remote",
    [
        Remote("ssh://git@git.example/acme/shop.git"),
        Remote(URL, Credentials(username="me", password="x", ca_file=b"PEM")),
        Remote(URL, Credentials(proxy="http://proxy.example:3128")),
    ],
)
async def test_whoever_needs_more_than_a_password_is_left_to_git(made, remote):
    quick, seen = host(ok())
    assert await push(quick, made, remote) is None
    assert seen == []
