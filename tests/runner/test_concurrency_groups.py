"""GitHub: "there can be at most one running and one pending job or workflow run in a concurrency group at any time"."""

import asyncio

from tidegate.engine.manual_clock import settle
from tidegate.runner.groups import Groups


class Member:
    """One run that wants a group, until it is released or cancelled."""

    def __init__(self, groups, *, name="deploy", cancel_in_progress=False):
        self.cancelled, self.release = asyncio.Event(), asyncio.Event()
        self.entered = None
        self._groups, self._name, self._cancel = groups, name, cancel_in_progress
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        async with self._groups.one(self._name, self.cancelled, cancel_in_progress=self._cancel) as self.entered:
            if self.entered:
                ends = [asyncio.create_task(event.wait()) for event in (self.release, self.cancelled)]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()


async def test_the_second_waits_for_the_first():
    groups = Groups()
    first = Member(groups)
    await settle()
    second = Member(groups, name="DEPLOY")
    other = Member(groups, name="test")
    await settle()
    assert (first.entered, second.entered, other.entered) == (True, None, True)
    first.release.set()
    await settle()
    assert second.entered is True
    second.release.set()
    other.release.set()
    await asyncio.gather(first.task, second.task, other.task)


async def test_a_newer_one_takes_the_place_of_the_one_that_waits():
    groups = Groups()
    first = Member(groups)
    await settle()
    second = Member(groups)
    await settle()
    third = Member(groups)
    await settle()
    assert second.entered is False
    assert not first.cancelled.is_set()
    first.release.set()
    await settle()
    assert third.entered is True
    third.release.set()
    await asyncio.gather(first.task, second.task, third.task)


async def test_cancel_in_progress_ends_the_running_one():
    groups = Groups()
    first = Member(groups)
    await settle()
    second = Member(groups, cancel_in_progress=True)
    await settle()
    assert first.cancelled.is_set()
    assert second.entered is True
    second.release.set()
    await asyncio.gather(first.task, second.task)
