"""Runs the runner's controllers of a home as a process of its own, which a test can kill: argv is the folder."""

import asyncio
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from runner_home import RunnerHome


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main() -> None:
    home = RunnerHome(Path(sys.argv[1]))
    await home.jobs.sweep()
    async with home.running():
        say("ready")
        runs = await home.finished(timeout=60)
        await asyncio.sleep(0.3)
        runs = await home.all_runs()
    say(json.dumps(runs))


asyncio.run(main())
