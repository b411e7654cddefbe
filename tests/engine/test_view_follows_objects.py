import asyncio

import pytest

from tidegate.base.errors import CommandFailed
from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.view import View

KINDS = [("", "ConfigMap"), ("", "Secret")]


def a_config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


@pytest.fixture
def store(tmp_path):
    found = SqliteStore(tmp_path / "store.db", SystemClock())
    yield found
    found.close()


async def test_what_is_there_at_the_start_is_seen_at_once(store):
    await store.create(a_config_map("first"), manager="test")
    async with View(store, KINDS) as view:
        assert [found["metadata"]["name"] for found in view.objects["ConfigMap"]] == ["first"]
        assert view.objects["Secret"] == []


async def test_waiting_ends_when_the_objects_say_it(store):
    async with View(store, KINDS) as view:
        waiting = asyncio.create_task(
            view.until(lambda objects: next((o for o in objects["ConfigMap"] if o.get("data")), None), timeout=5)
        )
        await store.create(a_config_map("a"), manager="test")
        await store.update(a_config_map("a", word="tide"), manager="test")
        assert (await waiting)["data"] == {"word": "tide"}


async def test_a_deleted_object_is_gone(store):
    await store.create(a_config_map("a"), manager="test")
    async with View(store, KINDS) as view:
        key = next(iter(view._found["ConfigMap"]))
        await store.delete(key)
        await view.until(lambda objects: objects["ConfigMap"] == [] or None, timeout=5)


async def test_waiting_in_vain_is_a_timeout(store):
    async with View(store, KINDS) as view:
        with pytest.raises(TimeoutError):
            await view.until(lambda _: None, timeout=0.05)


async def test_the_check_ends_useless_waiting(store):
    def check():
        if calls:
            raise CommandFailed("it ended", exit_code=1)
        calls.append(1)

    calls = []
    async with View(store, KINDS, check) as view:
        calls.append(1)
        with pytest.raises(CommandFailed):
            await view.until(lambda _: None, timeout=5)
