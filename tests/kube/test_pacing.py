"""How fast requests go out, and when one goes out again."""

import asyncio
import random

import pytest

from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.kube.pacing import Failed, Limits, TokenBucket, wait_before

LIMITS = Limits(attempts=4, longest_wait=30.0)


async def test_a_burst_goes_at_once_and_the_rest_at_the_rate():
    clock = ManualClock()
    bucket = TokenBucket(clock, qps=10, burst=5)
    gone = []

    async def request(number):
        await bucket.take()
        gone.append((number, round(clock.monotonic(), 3)))

    tasks = [asyncio.ensure_future(request(number)) for number in range(8)]
    await settle()
    assert [number for number, _ in gone] == [0, 1, 2, 3, 4]
    await clock.advance(1.0)
    assert gone[5:] == [(5, 0.1), (6, 0.2), (7, 0.3)]
    await asyncio.gather(*tasks)


async def test_a_rest_fills_the_bucket_again_but_no_further():
    clock = ManualClock()
    bucket = TokenBucket(clock, qps=10, burst=2)
    await bucket.take()
    await bucket.take()
    await clock.advance(3600)
    await bucket.take()
    await bucket.take()
    third = asyncio.ensure_future(bucket.take())
    await settle()
    assert not third.done()
    await clock.advance(0.2)
    await third


@pytest.mark.parametrize(
    ("failed", "method", "again"),
    [
        (Failed(429, retry_after=1.0), "POST", True),
        (Failed(429), "DELETE", True),
        (Failed(503, retry_after=1.0), "POST", True),
        (Failed(503), "POST", False),
        (Failed(500), "GET", True),
        (Failed(502), "PATCH", True),
        (Failed(504), "PUT", True),
        (Failed(504), "DELETE", False),
        (Failed(0, sent=False), "POST", True),
        (Failed(0, sent=True), "POST", False),
        (Failed(0, sent=True), "DELETE", False),
        (Failed(0, sent=True), "GET", True),
        (Failed(0, sent=True), "PATCH", True),
        (Failed(501), "GET", False),
        (Failed(404), "GET", False),
        (Failed(409), "PATCH", False),
        (Failed(409, retry_after=1.0), "PATCH", False),
        (Failed(422), "GET", False),
    ],
)
def test_only_what_does_no_harm_is_sent_again(failed, method, again):
    assert (wait_before(1, failed, method, LIMITS, random.Random(1)) is not None) == again


def test_attempts_are_bounded_and_waits_grow():
    waits = [wait_before(attempt, Failed(500), "GET", LIMITS, random.Random(1)) for attempt in (1, 2, 3, 4)]
    assert waits[3] is None
    assert waits[0] < waits[1] < waits[2] <= 0.4


def test_what_the_server_asks_for_is_waited_for_unless_it_is_too_long():
    assert wait_before(1, Failed(429, retry_after=7.0), "GET", LIMITS, random.Random(1)) == 7.0
    assert wait_before(1, Failed(429, retry_after=31.0), "GET", LIMITS, random.Random(1)) is None
