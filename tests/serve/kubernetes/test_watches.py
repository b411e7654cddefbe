"""Watches: what a client sees, from where, and for how long."""

import asyncio

import pytest
from tests.contracts.store import policy

from tidegate.kinds.objects import ObjectKey
from tidegate.serve.kubernetes import watching

PATH = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system/imagepolicies"
KEY = ObjectKey("image.toolkit.fluxcd.io", "ImagePolicy", "flux-system", "web")
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


def told(event):
    return event["type"], event["object"]["metadata"]["name"]


async def test_a_watch_without_a_version_begins_with_what_is_there(open_stream, store):
    await store.create(policy("web"), manager="t")
    watch = open_stream(f"{PATH}?watch=true")
    assert await watch.status() == 200
    assert told(await watch.event()) == ("ADDED", "web")
    await store.patch(KEY, {"spec": {"suspend": True}}, manager="t")
    assert told(await watch.event()) == ("MODIFIED", "web")
    await store.delete(KEY)
    event = await watch.event()
    assert told(event) == ("DELETED", "web")
    assert event["object"]["spec"]["suspend"] is True


async def test_a_watch_goes_on_from_a_list(http, open_stream, store):
    await store.create(policy("web"), manager="t")
    version = (await http.get(PATH)).json()["metadata"]["resourceVersion"]
    await store.create(policy("next"), manager="t")
    watch = open_stream(f"{PATH}?watch=1&resourceVersion={version}")
    assert told(await watch.event()) == ("ADDED", "next")


async def test_objects_come_in_the_version_asked_for(open_stream, store):
    await store.create(policy("web"), manager="t")
    watch = open_stream(f"{PATH.replace('/v1/', '/v1beta2/')}?watch=true")
    assert (await watch.event())["object"]["apiVersion"] == "image.toolkit.fluxcd.io/v1beta2"


async def test_what_enters_a_selection_is_added_and_what_leaves_it_deleted(open_stream, store):
    await store.create(policy("web"), manager="t")
    await store.create(policy("other", labels={"app": "x"}), manager="t")
    watch = open_stream(f"{PATH}?watch=true&labelSelector=app%3Dx")
    assert told(await watch.event()) == ("ADDED", "other")
    for labels in ({"app": "x"}, {"b": "1"}, {"app": None}, {"b": "2"}, {"app": "x"}):
        await store.patch(KEY, {"metadata": {"labels": labels}}, manager="t")
    await store.delete(KEY)
    seen = [told(await watch.event()) for _ in range(5)]
    assert seen == [("ADDED", "web"), ("MODIFIED", "web"), ("DELETED", "web"), ("ADDED", "web"), ("DELETED", "web")]


async def test_one_object_by_field_selector_or_by_path(open_stream, store):
    by_selector = open_stream(f"{PATH}?watch=true&fieldSelector=metadata.name%3Dweb")
    by_path = open_stream(f"{PATH}/web?watch=true")
    assert await by_selector.status() == await by_path.status() == 200
    await store.create(policy("other"), manager="t")
    await store.create(policy("web"), manager="t")
    assert told(await by_selector.event()) == ("ADDED", "web")
    assert told(await by_path.event()) == ("ADDED", "web")


async def test_rows_of_a_table(open_stream, store):
    await store.create(policy("web"), manager="t")
    await store.patch_status(KEY, {"latestImage": "x:1"}, manager="t")
    watch = open_stream(f"{PATH}?watch=true", headers=TABLE)
    event = await watch.event()
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:2] == ["web", "x:1"]
    assert event["object"]["rows"][0]["object"]["metadata"]["name"] == "web"


async def test_a_bookmark_comes_while_nothing_happens(open_stream, store, clock):
    watch = open_stream(f"{PATH}?watch=true&allowWatchBookmarks=true")
    await watch.status()
    await store.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}, manager="t"
    )
    await clock.advance(61)
    await clock.advance(61)
    event = await watch.event()
    assert event["type"] == "BOOKMARK"
    assert event["object"]["kind"] == "ImagePolicy"
    versions = [int(event["object"]["metadata"]["resourceVersion"])]
    versions.append(int((await watch.event())["object"]["metadata"]["resourceVersion"]))
    assert versions[-1] == int(store.latest_version())


async def test_without_bookmarks_there_is_silence(open_stream, store, clock):
    watch = open_stream(f"{PATH}?watch=true")
    await watch.status()
    await clock.advance(200)
    await store.create(policy("web"), manager="t")
    assert told(await watch.event()) == ("ADDED", "web")


async def test_initial_events_end_with_a_bookmark(open_stream, store):
    await store.create(policy("web"), manager="t")
    watch = open_stream(
        f"{PATH}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    )
    assert told(await watch.event()) == ("ADDED", "web")
    event = await watch.event()
    assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_timeout_seconds_end_a_watch(open_stream, clock):
    watch = open_stream(f"{PATH}?watch=true&timeoutSeconds=5")
    await watch.status()
    await clock.advance(4)
    await clock.advance(2)
    assert await watch.line() is None


async def test_a_version_that_is_no_longer_kept_is_410(http):
    answer = await http.get(f"{PATH}?watch=true&resourceVersion=99999")
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")


async def test_a_version_that_expires_meanwhile_is_told_in_the_stream(open_stream, store):
    watch = open_stream(f"{PATH}?watch=true")
    await watch.status()
    await asyncio.sleep(0)
    await store.create(policy("web"), manager="t")
    await watch.event()
    store._tables.trim(0, 10_000)
    with store._writing():
        for number in range(3):
            live = store._tables.read(KEY)
            live["spec"]["n"] = number
            store._tables.write(KEY, live, before=live)
        store._tables.trim(0, 10_000)
    event = await watch.event()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert await watch.line() is None


@pytest.mark.parametrize("query", ["resourceVersion=abc", "timeoutSeconds=x", "watch=maybe", "labelSelector=%3D"])
async def test_wrong_queries_are_400(http, query):
    assert (await http.get(f"{PATH}?watch=true&{query}")).status_code == 400


async def test_a_closed_watch_leaves_nothing_behind(open_stream, store):
    watch = open_stream(f"{PATH}?watch=true&resourceVersion=0")
    await watch.status()
    await asyncio.sleep(0.01)
    assert any(store._sleeping.values())
    await watch.close()
    await asyncio.sleep(0.01)
    assert not any(store._sleeping.values())


async def test_a_version_of_any_length_is_refused(http):
    answer = await http.get(f"{PATH}?watch=true&resourceVersion={'9' * 5000}")
    assert answer.status_code == 400


async def test_only_so_many_watches_are_open_at_once(open_stream, http, monkeypatch):
    monkeypatch.setattr(watching, "WATCHES_AT_ONCE", 2)
    watches = [open_stream(f"{PATH}?watch=true&timeoutSeconds=5") for _ in range(5)]
    assert sorted([await watch.status() for watch in watches]) == [200, 200, 429, 429, 429]
    answer = await http.get(f"{PATH}?watch=true")
    assert (answer.status_code, answer.json()["reason"]) == (429, "TooManyRequests")


async def test_a_watch_that_ended_makes_room(open_stream, clock, monkeypatch):
    monkeypatch.setattr(watching, "WATCHES_AT_ONCE", 1)
    for _ in range(3):
        watch = open_stream(f"{PATH}?watch=true&timeoutSeconds=5")
        assert await watch.status() == 200
        await clock.advance(6)
        assert await watch.line() is None
