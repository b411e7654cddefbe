"""Several streams as one: what is said first is heard first, and an end or an error of one is not lost."""

import asyncio

import pytest

from tidegate.serve.merged import merged


async def said(*words, before=None, after=None):
    if before:
        await before.wait()
    for word in words:
        yield word
    if after:
        after.set()


async def test_each_thing_is_heard_as_soon_as_it_is_said():
    first = asyncio.Event()
    heard = [word async for word in merged(said("b", before=first), said("a", "a", after=first), said())]
    assert heard == ["a", "a", "b"]


async def test_no_stream_says_nothing():
    assert [word async for word in merged()] == []


async def test_an_error_of_one_ends_all():
    async def broken():
        yield "a"
        raise ValueError("broken")

    never = asyncio.Event()
    heard = []

    async def listen():
        async for word in merged(said("b", before=never), broken()):
            heard.append(word)  # noqa: PERF401 - what was heard before the error counts

    with pytest.raises(ValueError, match="broken"):
        await listen()
    assert heard == ["a"]


async def test_closed_early_it_leaves_nothing_running():
    never = asyncio.Event()
    before = asyncio.all_tasks()
    stream = merged(said("a"), said("b", before=never))
    assert await anext(stream) == "a"
    await stream.aclose()
    assert asyncio.all_tasks() == before
