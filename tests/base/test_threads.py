"""Large arguments are gone from a thread by the time its answer is there."""

import threading
import weakref

from tidegate.base import threads
from tidegate.base.threads import in_thread


class Large(list):
    """A list that can be referred to weakly."""


async def test_an_answer_comes_back():
    assert await in_thread(divmod, 7, 2) == (3, 1)
    assert await in_thread(int, "11", base=2) == 3
    assert await in_thread(threading.current_thread) is not threading.current_thread()


async def test_what_was_given_is_let_go_of_before_the_answer_is_there(monkeypatch):
    """The thread is held up where an executor's would wait for its turn: after the work, before it forgets it."""
    seen = []

    async def to_thread(work):
        answer = work()
        seen.append(watched() is None)
        return answer

    monkeypatch.setattr(threads.asyncio, "to_thread", to_thread)
    large = [Large([1, 2, 3])]
    watched = weakref.ref(large[0])
    # The list has no other holder than the call: it is taken out of its place in the very call.
    assert await in_thread(len, large.pop()) == 3
    assert seen == [True]
