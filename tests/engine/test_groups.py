"""Work done in groups: who is in which one, whose errors are whose, what a cancelled caller does to the others."""

import asyncio

import pytest

from tidegate.engine.groups import Groups


class Work:
    """Notes the groups that it is given; each ends when `go` is set."""

    def __init__(self):
        self.groups = []
        self.go = asyncio.Event()
        self.ended = []

    async def __call__(self, works):
        self.groups.append(list(works))
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended.append(list(works))
            raise
        if "everybody" in works:
            raise ValueError("everybody's")
        return [KeyError(work) if work.startswith("bad") else work.upper() for work in works]


async def begun(*coroutines):
    tasks = [asyncio.create_task(one) for one in coroutines]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_whoever_comes_meanwhile_is_in_the_next_group():
    work = Work()
    groups = Groups(work, most=10)
    first = await begun(groups.add("branch", "a"))
    later = await begun(*(groups.add("branch", name) for name in "bcd"))
    assert work.groups == [["a"]]
    work.go.set()
    assert await asyncio.gather(*first, *later) == ["A", "B", "C", "D"]
    assert work.groups == [["a"], ["b", "c", "d"]]


async def test_keys_do_not_wait_for_each_other_and_a_group_has_a_limit():
    work = Work()
    groups = Groups(work, most=2)
    tasks = await begun(groups.add("one", "a"), groups.add("two", "b"), *(groups.add("one", name) for name in "cdef"))
    assert work.groups == [["a", "c"], ["b"]]
    work.go.set()
    assert sorted(await asyncio.gather(*tasks)) == ["A", "B", "C", "D", "E", "F"]
    assert max(len(group) for group in work.groups) == 2
    assert await groups.add("one", "again") == "AGAIN"


async def test_an_error_is_its_own_or_everybodys():
    work = Work()
    work.go.set()
    groups = Groups(work, most=10)
    answers = await asyncio.gather(groups.add(1, "a"), groups.add(1, "bad"), groups.add(1, "b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, KeyError, str]
    answers = await asyncio.gather(groups.add(1, "everybody"), groups.add(1, "b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError, ValueError]
    assert await groups.add(1, "a") == "A"


async def test_a_cancelled_caller_leaves_the_others_theirs():
    work = Work()
    groups = Groups(work, most=10)
    gone, stays = await begun(groups.add(1, "a"), groups.add(1, "b"))
    gone.cancel()
    await asyncio.sleep(0)
    work.go.set()
    assert await stays == "B"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_when_nobody_is_left_the_work_ends():
    work = Work()
    groups = Groups(work, most=10)
    tasks = await begun(groups.add(1, "a"), groups.add(1, "b"))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(5):
        await asyncio.sleep(0)
    assert work.ended == [["a", "b"]]
    work.go.set()
    assert await groups.add(1, "c") == "C"
