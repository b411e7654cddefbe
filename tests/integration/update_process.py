"""A process with the controller of automations and a home on disk, which tests kill: python update_process.py FOLDER.

It goes on until the automations' statuses are what their policies ask for, and then ends with 0; with a second
argument, the type of a condition, until all of them have that as well.
"""

import asyncio
import sys
from pathlib import Path

from tidegate.engine.clock import SystemClock
from tidegate.engine.manager import Manager
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.objects import key_of
from tidegate.update.controller import ImageUpdateAutomationController
from tidegate.update.selections import selected_reference

IMAGE = "image.toolkit.fluxcd.io"
PATIENCE = 60.0


async def no_revision(_access, _image):
    return None


async def main(folder: Path, condition: str = "Ready") -> None:
    store = SqliteStore(folder / "store.db", SystemClock())
    origins = Origins(Mirrors(folder / "mirrors"), lambda _: None, None)
    controller = ImageUpdateAutomationController(origins, no_revision)
    running = asyncio.create_task(Manager(store, SystemClock(), [controller]).run())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with asyncio.timeout(PATIENCE):
        while not await told(store, condition):  # noqa: ASYNC110 - a test waits here, not a server
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait({running})
    store.close()


async def told(store, condition: str) -> bool:
    """Whether every automation says that it is done with what is selected now, and that a condition is true."""
    policies = {key_of(one).name: selected_reference(one) for one in (await store.list(IMAGE, "ImagePolicy")).items}
    for automation in (await store.list(IMAGE, "ImageUpdateAutomation")).items:
        status = automation.get("status") or {}
        observed = status.get("observedPolicies") or {}
        true = {one["type"] for one in status.get("conditions") or () if one["status"] == "True"}
        seen = {name: f"{one['name']}:{one['tag']}" for name, one in observed.items()}
        if not {"Ready", condition} <= true or seen != policies or "lastPushCommit" not in status:
            return False
    return True


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
