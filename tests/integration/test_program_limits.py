"""A program that floods, or leaves something behind, is ended within its bounds and never waited for without end."""

import asyncio

import pytest

from tidegate.base import process
from tidegate.base.errors import CommandFailed, LimitExceeded

pytestmark = pytest.mark.integration
PATIENCE = 30.0


@pytest.fixture(autouse=True)
async def bounded():
    """What hangs fails, instead of holding up the suite."""
    async with asyncio.timeout(PATIENCE):
        yield


@pytest.mark.parametrize("script", ["exec yes", "yes & wait", "exec yes >&2", "yes & yes >&2"])
async def test_too_much_output_is_that_error_each_time(script):
    for _ in range(3):
        async with asyncio.timeout(PATIENCE / 3):
            with pytest.raises(LimitExceeded, match="more than 1000000 bytes"):
                await process.run(["sh", "-c", script], output_limit=1_000_000)


async def test_what_left_the_programs_group_with_its_output_is_not_waited_for():
    async with asyncio.timeout(PATIENCE / 3):
        with pytest.raises(CommandFailed, match=r"was ended after 0\.5 s"):
            await process.run(["sh", "-c", "setsid sleep 60 & exec sleep 60"], timeout=0.5)


async def test_a_group_is_ended_whose_output_nobody_reads():
    pipe = asyncio.subprocess.PIPE
    flood = await asyncio.create_subprocess_exec("yes", stdout=pipe, start_new_session=True)
    await flood.stdout.read(1)
    async with asyncio.timeout(PATIENCE / 3):
        await process.kill_group(flood)
    assert flood.returncode == -9
