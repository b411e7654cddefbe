"""What a refusal, a failure or a slow answer of a registry becomes, and which is tried again."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from tests.oci.fake_registry import (
    WEB,
    Registry,
    answer,
    fail,
    page,
)

from tidegate.base.errors import Denied, InvalidInput, LimitExceeded, NotFound, RateLimited, TidegateError, Unavailable
from tidegate.base.http import make_client
from tidegate.oci import transport
from tidegate.oci.client import RegistryClient


@pytest.mark.parametrize(
    ("status", "error", "attempts"),
    [(401, Denied, 1), (403, Denied, 1), (404, NotFound, 1), (400, InvalidInput, 2), (405, InvalidInput, 1),
     (413, LimitExceeded, 1), (500, Unavailable, 3), (502, Unavailable, 3), (503, Unavailable, 3),
     (302, Unavailable, 3), (204, Unavailable, 3)],
)  # fmt: skip
async def test_status_becomes_an_error_and_only_a_passing_one_is_retried(
    status: int, error: type[TidegateError], attempts: int
) -> None:
    registry = Registry(answer(status))
    with pytest.raises(error):
        await registry.client().tags(WEB)
    assert len(registry.seen) == attempts


async def test_registry_that_recovers_is_waited_for() -> None:
    registry = Registry(fail, answer(502), page("a"))
    assert await registry.client().tags(WEB) == ["a"]
    assert registry.slept == [0.5, 1.0]


async def test_registry_that_is_down_is_unavailable_and_named() -> None:
    registry = Registry(fail)
    with pytest.raises(Unavailable, match=r"registry\.example is not reachable: connection refused"):
        await registry.client().tags(WEB)
    assert len(registry.seen) == 3


async def test_short_retry_after_is_waited_for() -> None:
    registry = Registry(answer(429, retry_after="2"), page("a"))
    assert await registry.client().tags(WEB) == ["a"]
    assert registry.slept == [2.0]


async def test_registry_that_refuses_and_asks_for_no_wait_gets_one() -> None:
    registry = Registry(answer(429, retry_after="0"))
    with pytest.raises(RateLimited):
        await registry.client().tags(WEB)
    assert registry.slept == [0.5, 1.0]


async def test_registry_that_always_asks_to_wait_a_little_is_given_up() -> None:
    registry = Registry(answer(429, retry_after="1"))
    with pytest.raises(RateLimited):
        await registry.client().tags(WEB)
    assert registry.slept == [1.0, 1.0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "120"}, 120),
        ({"retry_after": "99999999999999"}, 86400),
        ({"retry_after": "Wed, 21 Oct 2026 07:30:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 120),
        ({"retry_after": "Wed, 21 Oct 2026 07:30:00 GMT"}, 60),
        ({"retry_after": "soon"}, 60),
        ({}, 60),
    ],
)
async def test_long_retry_after_is_the_callers_business(headers: dict[str, str], seconds: float) -> None:
    registry = Registry(answer(429, b"", **headers))
    with pytest.raises(RateLimited) as caught:
        await registry.client().tags(WEB)
    assert caught.value.retry_after == seconds
    assert (len(registry.seen), registry.slept) == (1, [])


async def test_error_says_in_one_line_what_the_registry_said() -> None:
    body = json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": "no\n\x1b[31msuch " + "x" * 1000}]}).encode()
    with pytest.raises(NotFound) as caught:
        await Registry(answer(404, body)).client().tags(WEB)
    assert "NAME_UNKNOWN no [31msuch xxx" in str(caught.value)
    assert len(str(caught.value)) < 400


async def test_slow_registry_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL_DEADLINE", 0.01)

    async def never(request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with make_client(httpx2.MockTransport(never)) as http:
        with pytest.raises(Unavailable, match=r"did not finish its answer in 0\.01 s"):
            await RegistryClient(http=http).tags(WEB)
