import asyncio

from tidegate.engine.manual_clock import settle
from tidegate.runner.places import Places


async def hold(places, order, began, release, *, group="a", limit=1):
    async with places.one(group, limit, order):
        began.append(order)
        await release.wait()


async def test_no_more_hold_a_place_than_there_are_and_the_oldest_is_next():
    places, began, release = Places(), [], asyncio.Event()
    first = asyncio.create_task(hold(places, "2026-01", began, release))
    await settle()
    others = [asyncio.create_task(hold(places, order, began, release)) for order in ("2026-03", "2026-02")]
    await settle()
    assert began == ["2026-01"]
    release.set()
    await asyncio.gather(first, *others)
    assert began == ["2026-01", "2026-02", "2026-03"]


async def test_another_group_does_not_wait():
    places, began, release = Places(), [], asyncio.Event()
    tasks = [asyncio.create_task(hold(places, name, began, release, group=name)) for name in ("a", "b")]
    await settle()
    assert began == ["a", "b"]
    release.set()
    await asyncio.gather(*tasks)


async def test_who_gives_up_waiting_takes_no_place():
    places, began, release = Places(), [], asyncio.Event()
    holder = asyncio.create_task(hold(places, "1", began, release))
    waiting = asyncio.create_task(hold(places, "2", began, release))
    last = asyncio.create_task(hold(places, "3", began, release))
    await settle()
    waiting.cancel()
    release.set()
    await asyncio.gather(holder, waiting, last, return_exceptions=True)
    assert began == ["1", "3"]


async def test_who_is_cancelled_as_its_place_is_given_passes_it_on():
    places, began, release = Places(), [], asyncio.Event()
    held = places.one("a", 1, "1")
    await held.__aenter__()
    second = asyncio.create_task(hold(places, "2", began, release))
    third = asyncio.create_task(hold(places, "3", began, release))
    await settle()
    await held.__aexit__(None, None, None)
    second.cancel()
    await settle()
    release.set()
    await asyncio.gather(second, third, return_exceptions=True)
    assert began == ["3"]
