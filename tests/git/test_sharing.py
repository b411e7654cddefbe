"""Asking a remote once for all who ask at the same moment."""

import asyncio

import pytest

from tidegate.engine.manual_clock import settle
from tidegate.git.sharing import Shared


class Work:
    """Answers how often it was done; each time it waits for `go`."""

    def __init__(self):
        self.count = 0
        self.go = asyncio.Event()

    async def __call__(self):
        self.count += 1
        mine = self.count
        await self.go.wait()
        return mine


async def test_a_single_call_is_done_at_once():
    work = Work()
    work.go.set()
    shared = Shared()
    assert [await shared.call("a", work) for _ in range(3)] == [1, 2, 3]


async def test_those_who_call_meanwhile_share_one_that_begins_later():
    work, shared = Work(), Shared()
    first = asyncio.ensure_future(shared.call("a", work))
    await settle()
    others = [asyncio.ensure_future(shared.call("a", work)) for _ in range(50)]
    await settle()
    assert work.count == 1
    work.go.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 50


async def test_other_keys_do_not_wait():
    slow, quick, shared = Work(), Work(), Shared()
    waiting = asyncio.ensure_future(shared.call("a", slow))
    quick.go.set()
    assert await shared.call("b", quick) == 1
    slow.go.set()
    assert await waiting == 1


async def test_an_error_is_everybodys_and_the_next_call_is_done_again():
    shared = Shared()
    calls = 0

    async def fails():
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise ValueError(calls)

    answers = await asyncio.gather(*(shared.call("a", fails) for _ in range(5)), return_exceptions=True)
    assert [answer.args for answer in answers] == [(1,), (2,), (2,), (2,), (2,)]
    with pytest.raises(ValueError, match="3"):
        await shared.call("a", fails)


async def test_a_cancelled_caller_takes_nothing_from_the_others():
    work, shared = Work(), Shared()
    first, second = (asyncio.ensure_future(shared.call("a", work)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    work.go.set()
    assert await second == 2
    with pytest.raises(asyncio.CancelledError):
        await first
    await settle()
    assert await shared.call("a", work) == 3
