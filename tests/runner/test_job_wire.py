"""What a job in a Pod tells: there and back, over broken connections and past stray lines."""

import asyncio

from tidegate.runner.wire import EventReader, WrittenEvents, readable

STEP = {"id": "build", "name": "Build", "number": 2, "status": "completed", "conclusion": "success"}
RESULT = {"conclusion": "success", "outputs": {"tag": "1.0.3"}, "images": [], "message": ""}


class Heard:
    """JobEvents that are remembered."""

    def __init__(self):
        self.heard = []

    async def log(self, step, line):
        self.heard.append(("log", step, line))

    async def step(self, step):
        self.heard.append(("step", step))

    async def progress(self, line):
        self.heard.append(("progress", line))

    async def summary(self, text):
        self.heard.append(("summary", text))


async def told():
    lines = []
    events = WrittenEvents(lines.append, asyncio.Event())
    await events.log("2", 'building "x" → ü')
    await events.progress("linux/arm/v7 is built")
    await events.summary("# Done\n\n- one")
    await events.step(STEP)
    events.result(RESULT)
    return lines


EXPECTED = [
    ("log", "2", 'building "x" → ü'),
    ("progress", "linux/arm/v7 is built"),
    ("summary", "# Done\n\n- one"),
    ("step", STEP),
]


async def test_events_arrive_as_they_were_told():
    heard = Heard()
    reader = EventReader(heard)
    for line in await told():
        await reader.take(line)
    assert heard.heard == EXPECTED
    assert reader.result == RESULT


async def test_one_event_is_one_line():
    assert all("\n" not in line for line in await told())


async def test_after_a_broken_connection_nothing_is_heard_twice():
    heard, lines = Heard(), await told()
    reader = EventReader(heard)
    for line in (*lines[:3], *lines):
        await reader.take(line)
    assert heard.heard == EXPECTED
    assert reader.result == RESULT


async def test_what_is_no_event_is_a_line_of_the_log():
    heard = Heard()
    reader = EventReader(heard)
    for line in ("Killed", '{"n":', '{"n":"1","log":["2","x"]}', '{"n":7,"log":"x"}', '{"log":["2","x"]}'):
        await reader.take(line)
    assert [event[0] for event in heard.heard] == ["log"] * 5
    assert reader.result is None


async def test_people_read_the_log_alone():
    assert [readable(line) for line in await told()] == ['building "x" → ü', None, None, None, None]
    assert readable("Killed") == "Killed"


async def test_a_job_is_cancelled_from_outside():
    cancel = asyncio.Event()
    events = WrittenEvents(print, cancel)
    waiting = asyncio.ensure_future(events.cancelled())
    await asyncio.sleep(0)
    assert not waiting.done()
    cancel.set()
    await waiting
