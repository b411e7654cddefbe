import asyncio

from tidegate.engine.manual_clock import settle
from tidegate.runner.feed import ENTRIES_KEPT, Progress, PushKey, RunFeed

KEY = PushKey("acme/shop", "refs/heads/main", "a" * 40)


async def texts(entries):
    return [entry.text async for entry in entries]


async def test_who_comes_late_hears_what_was_said_and_what_is_said_until_the_end():
    feed = RunFeed()
    feed.open("r")
    feed.say(Progress("r", "one"))
    listening = asyncio.create_task(texts(feed.follow("r")))
    await settle()
    feed.say(Progress("r", "two"))
    await settle()
    feed.close("r")
    assert await listening == ["one", "two"]
    assert await texts(feed.follow("r")) == ["one", "two"]


async def test_a_push_hears_its_runs_and_no_others_until_all_are_over():
    feed = RunFeed()
    listening = asyncio.create_task(texts(feed.push(KEY)))
    await settle()
    feed.expect(KEY, "a")
    feed.say(Progress("a", "from a"))
    feed.expect(KEY, "b")
    feed.handled(KEY)
    feed.say(Progress("other", "not ours"))
    feed.close("a")
    await settle()
    assert not listening.done()
    feed.say(Progress("b", "from b"))
    feed.close("b")
    assert await listening == ["from a", "from b"]


async def test_a_push_that_starts_nothing_hears_why():
    feed = RunFeed()
    listening = asyncio.create_task(texts(feed.push(KEY)))
    await settle()
    feed.handled(KEY, ["ci.yaml does not run: no changed file matches"])
    assert await listening == ["ci.yaml does not run: no changed file matches"]


async def test_a_push_whose_runs_are_put_off_hears_why_and_is_a_new_push_when_they_come():
    feed = RunFeed()
    feed.expect(KEY, "one")
    feed.put_off(KEY, ["the disk is full"])
    assert [(entry.text, entry.run, entry.level) async for entry in feed.push(KEY)] == [
        ("the disk is full", "", "error")
    ]
    feed.expect(KEY, "one")
    feed.handled(KEY)
    feed.say(Progress("one", "it runs"))
    feed.close("one")
    assert [entry.text async for entry in feed.push(KEY)] == ["it runs"]


async def test_a_push_that_was_handled_before_anybody_listened_is_heard():
    feed = RunFeed()
    feed.handled(KEY, ["nothing runs"])
    assert await texts(feed.push(KEY)) == ["nothing runs"]


async def test_a_push_that_nobody_handles_ends_with_a_note():
    feed = RunFeed()
    (note,) = await texts(feed.push(KEY, patience=0.01))
    assert "has not looked at this push yet" in note


async def test_a_ref_that_comes_back_to_a_commit_is_a_new_push():
    feed = RunFeed()
    feed.handled(KEY, ["before"])
    feed.expect(KEY, "again")
    feed.handled(KEY)
    listening = asyncio.create_task(texts(feed.push(KEY)))
    await settle()
    feed.say(Progress("again", "now"))
    feed.close("again")
    assert await listening == ["now"]


async def test_the_past_is_bounded():
    feed = RunFeed()
    for number in range(ENTRIES_KEPT + 50):
        feed.say(Progress("r", str(number)))
    feed.close("r")
    heard = await texts(feed.follow("r"))
    assert len(heard) == ENTRIES_KEPT
    assert heard[-1] == str(ENTRIES_KEPT + 49)
    for number in range(500):
        feed.close(f"run-{number}")
        feed.handled(PushKey("a/b", "refs/heads/x", str(number)))
    assert len(feed._runs) < 50
    assert len(feed._pushes) < 100


async def test_growth_is_never_missed_between_two_looks():
    feed = RunFeed()
    feed.open("r")
    growth = feed.growth_of("r", "build")
    assert await anext(growth)
    feed.grew("r", "build")  # while the follower reads
    assert await asyncio.wait_for(anext(growth), 1)
    feed.grew("r", "build", ended=True)
    assert [wake async for wake in growth] == []
