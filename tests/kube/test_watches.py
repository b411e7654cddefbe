"""Watches: what a cut, a bookmark or the server's end means for what comes next."""

import asyncio

import httpx2
import pytest
from tests.kube.conftest import Server, event, status, streamed

from tidegate.base.errors import Conflict, LimitExceeded, NotFound
from tidegate.engine.manual_clock import settle
from tidegate.kube import client as client_module
from tidegate.kube.following import follow

PATH = "/api/v1/configmaps"


async def seen(clock, client, count, since="1"):
    """The next events, with time passing."""
    found = []

    async def collect():
        async for one in follow(client, PATH, since):
            found.append((one.type, one.object["metadata"]["name"]))
            if len(found) == count:
                return

    task = asyncio.ensure_future(collect())
    for _ in range(100):
        await settle(20)
        if task.done():
            break
        await clock.advance(1.0)
    await task
    return found


def versions(server):
    return [request.url.params["resourceVersion"] for request in server.requests]


async def test_a_watch_goes_on_where_the_server_ended_it(clock, client_of):
    server = Server(streamed(event("ADDED", "a", 2)), streamed(event("MODIFIED", "a", 3)))
    assert await seen(clock, client_of(server), 2) == [("ADDED", "a"), ("MODIFIED", "a")]
    assert versions(server) == ["1", "2"]


async def test_a_bookmark_moves_the_place_and_is_no_event(clock, client_of):
    server = Server(streamed(event("BOOKMARK", "", 9)), streamed(event("ADDED", "b", 10)))
    assert await seen(clock, client_of(server), 1) == [("ADDED", "b")]
    assert versions(server) == ["1", "9"]


async def test_a_half_line_is_no_event_and_comes_again_whole(clock, client_of):
    whole = event("ADDED", "a", 2) + event("ADDED", "b", 3)
    for cut in range(len(whole)):
        broken = streamed(whole[:cut], error=httpx2.ReadError("cut"))
        done = whole[:cut].count(b"\n")
        rest = b"".join(whole.splitlines(keepends=True)[done:])
        server = Server(broken, streamed(rest))
        assert await seen(clock, client_of(server), 2) == [("ADDED", "a"), ("ADDED", "b")], cut
        assert versions(server)[:2] == ["1", ["1", "2"][done]]


async def test_lines_come_whole_however_they_are_cut_into_pieces(clock, client_of):
    whole = event("ADDED", "ä", 2) + event("ADDED", "b", 3)
    server = Server(streamed(*(whole[i : i + 1] for i in range(len(whole)))))
    assert await seen(clock, client_of(server), 2) == [("ADDED", "ä"), ("ADDED", "b")]


async def test_a_version_that_is_no_longer_kept_is_expired(client_of):
    for answer in (
        status(410, "Expired", "too old"),
        streamed(b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'),
    ):
        with pytest.raises(Conflict, match="too old") as error:
            await anext(follow(client_of(Server(answer)), PATH, "1"))
        assert error.value.code == "Expired"


async def test_an_error_that_passes_is_waited_out(clock, client_of):
    error = b'{"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError","message":"etcd"}}\n'
    server = Server(
        streamed(error),
        httpx2.ConnectError("refused"),
        status(429, "TooManyRequests", retry_after="2"),
        status(503),
        streamed(event("ADDED", "a", 2)),
    )
    assert await seen(clock, client_of(server), 1) == [("ADDED", "a")]
    assert versions(server) == ["1"] * 5


async def test_a_kind_that_is_gone_ends_the_watch(client_of):
    with pytest.raises(NotFound):
        await anext(follow(client_of(Server(status(404, "NotFound"))), PATH, "1"))


async def test_what_is_no_event_is_not_taken_for_one(clock, client_of):
    for line in (b"null\n", b"[]\n", b'{"type":"ADDED"}\n', b'{"object":{}}\n', b"garbage\n"):
        server = Server(streamed(line), streamed(event("ADDED", "a", 2)))
        assert await seen(clock, client_of(server), 1) == [("ADDED", "a")]


async def test_a_server_that_ends_every_watch_at_once_is_asked_ever_more_slowly(clock, client_of):
    server = Server(rest=lambda _: streamed())
    task = asyncio.ensure_future(anext(follow(client_of(server), PATH, "1")))
    await settle()
    for _ in range(120):
        await clock.advance(1.0)
    assert 5 < len(server.requests) < 25
    task.cancel()


async def test_a_line_without_end_is_refused(client_of, monkeypatch):
    monkeypatch.setattr(client_module, "LINE_LIMIT", 1000)
    with pytest.raises(LimitExceeded):
        await anext(follow(client_of(Server(streamed(b"x" * 600, b"x" * 600))), PATH, "1"))


async def test_a_watch_asks_for_bookmarks_and_an_end(client_of):
    server = Server(streamed(event("ADDED", "a", 2)))
    await anext(follow(client_of(server), PATH, "1", fieldSelector="metadata.name=a"))
    asked = server.requests[0].url.params
    assert (asked["watch"], asked["allowWatchBookmarks"], asked["fieldSelector"]) == ("true", "true", "metadata.name=a")
    assert 240 <= int(asked["timeoutSeconds"]) <= 480
