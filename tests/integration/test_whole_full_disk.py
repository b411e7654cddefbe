"""A disk that is full in the middle of something: a clear word, nothing half, and on it goes when there is room."""

import contextlib
import hashlib
import os
import re
import sqlite3
import sys
import time
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import IMAGE, World, pull
from small_disk import Disk, may_mount, mounted
from whole_world import Doors, opened, path_of

from tidegate.base.home import Home
from tidegate.demo.layout import git

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not may_mount(), reason="small disks are mounted for this: run it as root"),
]
REPOSITORY = IMAGE.partition("/")[2]
FULL = 60.0
"""Seconds within which something must have met the full disk."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(tmp_path_factory):
    """A Tidegate that has brought one commit to its end, and the disks of its home by what is on them."""
    folder = tmp_path_factory.mktemp("small")
    home = folder / "home"
    sizes = {home / "git": "24m", home / "registry": "24m", home / "runs": "48m"}
    with mounted({home: "96m"}) as whole:
        world = await World.make(folder)
        with mounted(sizes) as parts:
            async with opened(world) as doors:
                assert f"running {IMAGE}:1.0.1" in await doors.push()
                yield doors, {path.name: disk for path, disk in (whole | parts).items()}
            await is_intact(world.home, world.hosted)


@pytest.fixture(autouse=True)
def emptied(small):
    yield
    for disk in small[1].values():
        disk.empty()


async def is_intact(home: Home, hosted: Path) -> None:
    await git(hosted, "fsck", "--full", "--strict", "--no-dangling")
    with contextlib.closing(sqlite3.connect(f"file:{home.database}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def unharmed(doors: Doors, image: str) -> None:
    """The process answers, the workload runs, and every tag that is listed can be pulled whole."""
    assert (await doors.fetch("/healthz"))[0] == 200
    assert doors.running_images() == {image}
    await pull(doors.url, image.rpartition(":")[2])


async def goes_on(doors: Doors, word: str) -> None:
    """A further push goes the whole way."""
    await doors.commit(f"Go on: {word}", {"app/word": f"{word}, again\n"})
    said = await doors.push()
    assert "remote: running" in said, said
    await pull(doors.url, (await doors.runs_what_is_selected()).rpartition(":")[2])


async def test_a_blob_that_finds_no_room_is_refused_whole(small):
    doors, disks = small
    data = os.urandom(4_000_000)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    path = f"/v2/acme/other/blobs/uploads/?digest={digest}"
    disks["registry"].fill(leave=1_000_000)
    status, text = await doors.fetch(path, "POST", data, **doors.credential)
    assert (status, "disk is full" in text, "free some space" in text) == (507, True, True), text
    assert (await doors.fetch(f"/v2/acme/other/blobs/{digest}"))[0] == 404
    assert disks["registry"].room > 900_000
    await unharmed(doors, await doors.runs_what_is_selected())
    disks["registry"].empty()
    assert (await doors.fetch(path, "POST", data, **doors.credential))[0] == 201
    assert (await doors.fetch(f"/v2/acme/other/blobs/{digest}", "HEAD"))[0] == 200


async def test_a_push_that_finds_no_room_is_refused_and_goes_through_later(small):
    doors, disks = small
    head, image = await doors.head(), await doors.runs_what_is_selected()
    await doors.commit("Find no room", {"app/word": "no room\n"})
    disks["git"].fill()
    assert "No space left on device" in await doors.push(code=1)
    assert await doors.head() == head
    await unharmed(doors, image)
    disks["git"].empty()
    assert "remote: running" in await doors.push()


@pytest.mark.parametrize(
    ("disk", "leave", "says"),
    [
        ("runs", 0, "the disk is full"),
        ("runs", 1_000_000, "which no job may take: free some space"),
        ("registry", 0, "disk is full.*free some space"),
    ],
)
async def test_a_run_that_finds_no_room_fails_with_that_word_and_the_next_one_succeeds(small, disk, leave, says):
    doors, disks = small
    image = await doors.runs_what_is_selected()
    tags = await doors.fetch(f"/v2/{REPOSITORY}/tags/list")
    word = f"{disk}, {leave} bytes"
    # A layer that no earlier build has left in the registry.
    await doors.commit(word, {"app/word": os.urandom(32).hex()})
    disks[disk].fill(leave)
    said = await doors.push()
    assert re.search(rf"remote: .*({says})", said), said
    assert re.search(r"remote: image\.yaml #\d+ .*: failure after", said), said
    assert await doors.fetch(f"/v2/{REPOSITORY}/tags/list") == tags
    await unharmed(doors, image)
    disks[disk].empty()
    await goes_on(doors, word)


async def test_a_commit_that_finds_no_room_is_said_and_made_when_there_is_some(small):
    doors, disks = small
    image, head = await doors.runs_what_is_selected(), await doors.head()
    disks["git"].fill()
    await tag_anew(doors, image.rpartition(":")[2], "2.0.0")
    await doors.condition("ImageUpdateAutomation", "shop", "False", "git ended", "free some space on the disk")
    assert await doors.head() == head
    await unharmed(doors, image)
    disks["git"].empty()
    await doors.condition("ImageUpdateAutomation", "shop", "True")
    await doors.until("running 2.0.0", lambda _: doors.running_images() == {f"{IMAGE}:2.0.0"})
    assert await git(doors.world.hosted, "rev-parse", "main^") == head


async def tag_anew(doors: Doors, tag: str, new: str) -> None:
    """Give an image one more tag."""
    path = f"/v2/{REPOSITORY}/manifests/"
    kind = "application/vnd.oci.image.index.v1+json"
    status, index = await doors.fetch(path + tag, Accept=kind)
    assert status == 200
    headers = {**doors.credential, "Content_Type": kind}
    assert (await doors.fetch(path + new, "PUT", index.encode(), **headers))[0] == 201


async def test_a_store_without_room_refuses_writes_and_loses_none_that_it_took(small):
    doors, disks = small
    image = await doors.runs_what_is_selected()
    taken = await write_until_full(doors, disks["home"])
    assert taken
    shown = await doors.client.get(path_of("ImageRepository", "web"))
    assert {name for name in shown["metadata"].get("annotations", {}) if name.startswith("full/")} == taken
    await unharmed(doors, image)
    disks["home"].empty()
    await doors.client.merge(path_of("ImageRepository", "web"), {"metadata": {"annotations": dict.fromkeys(taken)}})
    await doors.reconcile("ImageRepository", "web")


async def write_until_full(doors: Doors, disk: Disk) -> set[str]:
    """Annotate until that is refused for want of room; the annotations that were taken."""
    taken: set[str] = set()
    disk.fill(leave=200_000)
    deadline = time.monotonic() + FULL
    while time.monotonic() < deadline:
        name = f"full/{len(taken)}"
        body = b'{"metadata": {"annotations": {"%s": "%s"}}}' % (name.encode(), b"x" * 20_000)
        headers = {**doors.credential, "Content_Type": "application/merge-patch+json"}
        status, text = await doors.fetch(path_of("ImageRepository", "web"), "PATCH", body, **headers)
        if status != 200:
            assert (status, "disk is full" in text, "has room" in text) == (503, True, True), text
            return taken
        taken.add(name)
        assert len(taken) < 12, "annotations have a limit of their own"
    raise AssertionError("the store never was full")


async def test_what_is_pushed_while_the_store_has_no_room_runs_by_itself_when_it_has(small):
    doors, disks = small
    image = await doors.runs_what_is_selected()
    commit = await doors.commit("Nobody can write that down", {"app/word": "unwritten\n"})
    taken = await write_until_full(doors, disks["home"])
    said = await doors.push()
    assert re.search(r"remote: error: .* can't be started yet: .*disk is full", said), said
    assert await doors.head() == commit
    await unharmed(doors, image)
    disks["home"].empty()
    await doors.client.merge(path_of("ImageRepository", "web"), {"metadata": {"annotations": dict.fromkeys(taken)}})
    await doors.until(
        "the run of that commit",
        lambda objects: any(
            run["spec"]["commit"] == commit and (run.get("status") or {}).get("conclusion") == "success"
            for run in objects["WorkflowRun"]
        ),
    )
