import asyncio

from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.engine.queue import WorkQueue


async def test_a_key_comes_when_it_is_due():
    clock = ManualClock()
    queue = WorkQueue(clock)
    queue.add("later", 10)
    queue.add("now")
    assert await queue.get() == "now"
    waiting = asyncio.create_task(queue.get())
    await clock.advance(9.9)
    assert not waiting.done()
    await clock.advance(0.1)
    assert await waiting == "later"


async def test_a_key_added_twice_comes_once_at_the_earlier_time():
    clock = ManualClock()
    queue = WorkQueue(clock)
    queue.add("a", 10)
    queue.add("a", 1)
    queue.add("a", 20)
    waiting = asyncio.create_task(queue.get())
    await clock.advance(1)
    assert await waiting == "a"
    queue.done("a")
    again = asyncio.create_task(queue.get())
    await clock.advance(100)
    assert not again.done()
    again.cancel()


async def test_a_key_that_is_worked_on_is_not_handed_out_again_until_done():
    queue = WorkQueue(ManualClock())
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    second = asyncio.create_task(queue.get())
    await settle()
    assert not second.done()
    queue.done("a")
    assert await second == "a"


async def test_other_keys_come_while_one_is_worked_on():
    queue = WorkQueue(ManualClock())
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("b", 0.0)
    assert await queue.get() == "b"


async def test_a_forgotten_key_does_not_come():
    clock = ManualClock()
    queue = WorkQueue(clock)
    queue.add("a", 5)
    queue.forget("a")
    waiting = asyncio.create_task(queue.get())
    await clock.advance(10)
    assert not waiting.done()
    waiting.cancel()


async def test_a_cancellation_is_never_lost_whenever_it_comes():
    for turns in range(8):
        queue = WorkQueue(ManualClock())
        queue.add("later", 10)
        waiting = asyncio.create_task(queue.get())
        await settle()
        queue.add("later", 5)
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await settle()
        assert waiting.cancelled(), f"cancelled after {turns} turns of the loop"


async def test_the_next_key_is_found_without_going_through_all_that_wait():
    class Key(str):
        __slots__ = ()
        looked_at = 0

        def __hash__(self):
            Key.looked_at += 1
            return super().__hash__()

    queue = WorkQueue(ManualClock())
    for number in range(1000):
        queue.add(Key(f"later {number}"), 1000 - number)
    queue.add(Key("now"))
    Key.looked_at = 0
    key = await queue.get()
    queue.add(key, 60)
    queue.done(key)
    assert key == "now"
    assert Key.looked_at < 20


async def test_keys_that_are_due_together_come_in_the_order_of_their_adding():
    queue = WorkQueue(ManualClock())
    for key in ("c", "a", "b"):
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["c", "a", "b"]


async def test_a_key_that_was_brought_forward_comes_once():
    clock = ManualClock()
    queue = WorkQueue(clock)
    queue.add("a", 10)
    queue.add("a", 1)
    await clock.advance(20)
    assert await queue.get() == "a"
    queue.done("a")
    again = asyncio.create_task(queue.get())
    await settle()
    assert not again.done()
    again.cancel()
