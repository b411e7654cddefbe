"""The store's file: what a restart finds, what a kill leaves, which files are refused."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest
from tests.contracts.store import POLICY, config_map, policy

from tidegate.base.errors import Conflict, InvalidInput, NotFound, Unavailable
from tidegate.engine import sqlite_tables
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.sqlite_tables import FORMAT
from tidegate.kinds.objects import ObjectKey


async def test_a_restart_finds_everything(tmp_path, clock):
    first = SqliteStore(tmp_path / "store.db", clock)
    created = await first.create(policy(), manager="test")
    first.close()
    second = SqliteStore(tmp_path / "store.db", clock)
    assert await second.get(POLICY) == created
    second.close()


async def test_a_watch_goes_on_over_a_restart(tmp_path, clock):
    first = SqliteStore(tmp_path / "store.db", clock)
    version = (await first.list("", "ConfigMap")).resource_version
    await first.create(config_map({}), manager="test")
    first.close()
    second = SqliteStore(tmp_path / "store.db", clock)
    event = await anext(second.watch("", "ConfigMap", since=version))
    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "settings")
    second.close()


async def test_resource_versions_are_never_given_twice(tmp_path, clock):
    first = SqliteStore(tmp_path / "store.db", clock)
    await first.create(config_map({}), manager="test")
    before = int(first.latest_version())
    first.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DELETE FROM changes")
    connection.close()
    second = SqliteStore(tmp_path / "store.db", clock)
    created = await second.create(policy(), manager="test")
    assert int(created["metadata"]["resourceVersion"]) > before
    second.close()


def test_only_its_owner_reads_the_file(tmp_path, clock):
    SqliteStore(tmp_path / "store.db", clock).close()
    assert (tmp_path / "store.db").stat().st_mode & 0o777 == 0o600


def test_a_newer_format_is_refused_and_left_alone(tmp_path, clock):
    path = tmp_path / "store.db"
    SqliteStore(path, clock).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="newer Tidegate") as error:
        SqliteStore(path, clock)
    assert "--home" in str(error.value.remedy)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path, clock):
    (tmp_path / "store.db").write_bytes(b"not a database, but long enough to be read as one" * 50)
    with pytest.raises(InvalidInput, match="is not a store"):
        SqliteStore(tmp_path / "store.db", clock)


async def test_a_full_disk_is_told_and_loses_nothing(store):
    await store.create(policy(), manager="test")
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="full"):
        await store.create(config_map({"big": "x" * 1_000_000}), manager="test")
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert (await store.get(POLICY))["spec"]
    with pytest.raises(NotFound):
        await store.get(ObjectKey("", "ConfigMap", "web", "settings"))
    await store.create(config_map({"a": "b"}), manager="test")


async def test_too_old_a_version_is_expired(store):
    version = (await store.list("", "ConfigMap")).resource_version
    await store.create(config_map({"n": "start"}), manager="test")
    for number in range(1400):
        await store.patch(ObjectKey("", "ConfigMap", "web", "settings"), {"data": {"n": str(number)}}, manager="t")
    store._history = 100
    for number in range(1400):
        await store.patch(ObjectKey("", "ConfigMap", "web", "settings"), {"data": {"n": f"x{number}"}}, manager="t")
    with pytest.raises(Conflict) as error:
        await anext(store.watch("", "ConfigMap", since=version))
    assert error.value.code == "Expired"


async def test_an_idle_watch_never_expires_by_changes_of_other_kinds(tmp_path, clock):
    store = SqliteStore(tmp_path / "store.db", clock, history=1)
    events = store.watch("", "Secret")
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await store.create(config_map({}), manager="test")
    for number in range(2500):
        await store.patch(ObjectKey("", "ConfigMap", "web", "settings"), {"data": {"n": str(number)}}, manager="t")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "web"}}
    await store.create(secret, manager="test")
    assert (await asyncio.wait_for(waiting, 5)).type == "ADDED"
    store.close()


async def test_a_version_from_the_future_is_expired(store):
    with pytest.raises(Conflict) as error:
        store.watch("", "ConfigMap", since="999999")
    assert error.value.code == "Expired"


async def test_the_write_ahead_log_stays_small(tmp_path, clock):
    store = SqliteStore(tmp_path / "store.db", clock)
    await store.create(config_map({}), manager="test")
    log = tmp_path / "store.db-wal"
    for number in range(3000):
        await store.patch(ObjectKey("", "ConfigMap", "web", "settings"), {"data": {"n": f"{number:0500}"}}, manager="t")
        if store._checkpoint is not None:
            await asyncio.wait({store._checkpoint})
    assert log.stat().st_size < 16 * 1024 * 1024
    store.close()


WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from tidegate.engine.clock import SystemClock
    from tidegate.engine.sqlite_store import SqliteStore

    async def main():
        store = SqliteStore(Path(sys.argv[1]), SystemClock())
        number = 0
        while True:
            obj = {"apiVersion": "v1", "kind": "ConfigMap",
                   "metadata": {"name": f"c{number}", "namespace": "web"}, "data": {"n": str(number)}}
            await store.create(obj, manager="writer")
            print(number, flush=True)
            number += 1

    asyncio.run(main())
    """
)


def write_until_killed(path, lines):
    """The number of the last write that was answered."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    answered = [int(writer.stdout.readline()) for _ in range(lines)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    answered = max([answered, *map(int, writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()
    return answered


@pytest.mark.crash
@pytest.mark.parametrize("lines", [1, 7, 60])
async def test_after_kill_9_every_answered_write_is_there(tmp_path, clock, lines):
    path = tmp_path / "store.db"
    answered = write_until_killed(path, lines)
    store = SqliteStore(path, clock)
    found = {item["metadata"]["name"] for item in (await store.list("", "ConfigMap")).items}
    assert {f"c{number}" for number in range(answered + 1)} <= found
    assert len(found) <= answered + 2
    events = store.watch("", "ConfigMap", since="1")
    assert {(await anext(events)).object["metadata"]["name"] for _ in found} == found
    store.close()


async def test_no_step_reads_more_than_a_page_of_10_000_objects(store, monkeypatch):
    """What a step costs is counted, not timed: a busy machine must not decide this."""
    with store._writing():
        for number in range(10_000):
            store._tables.write(
                ObjectKey("", "ConfigMap", "web", f"c{number:05}"),
                config_map({"text": "x" * 1000}, f"c{number:05}", uid=str(number)),
                before=None,
            )
    steps = [{"objects": 0, "thousands of SQLite's instructions": 0}]

    def count(what):
        steps[-1][what] += 1
        return 0

    read = sqlite_tables._object
    monkeypatch.setattr(sqlite_tables, "_object", lambda *row: (count("objects"), read(*row))[1])
    store._connection.set_progress_handler(lambda: count("thousands of SQLite's instructions"), 1000)

    async def pulse():
        while True:
            await asyncio.sleep(0)
            steps.append(dict.fromkeys(steps[0], 0))

    beating = asyncio.ensure_future(pulse())
    await asyncio.sleep(0)
    assert len((await store.list("", "ConfigMap")).items) == 10_000
    for number in range(50):
        await store.patch(ObjectKey("", "ConfigMap", "web", f"c{number:05}"), {"data": {"a": "b"}}, manager="test")
    beating.cancel()
    assert sum(step["objects"] for step in steps) >= 10_000 + 50
    assert max(step["objects"] for step in steps) <= 100
    assert max(step["thousands of SQLite's instructions"] for step in steps) <= 10


async def test_large_objects_come_a_few_at_a_time(store):
    for number in range(12):
        await store.create(config_map({"text": "x" * 100_000}, f"c{number:02}"), manager="test")
    await store.create(config_map({}, "d"), manager="test")
    pages = [[obj["metadata"]["name"] for obj in page] async for _, page in store.pages("", "ConfigMap")]
    assert max(map(len, pages)) <= sqlite_tables.PAGE_BYTES // 100_000 + 1
    assert [name for page in pages for name in page] == [*(f"c{number:02}" for number in range(12)), "d"]
    changes = store.watch("", "ConfigMap", since="1")
    assert [(await anext(changes)).object["metadata"]["name"] for _ in range(11)]
