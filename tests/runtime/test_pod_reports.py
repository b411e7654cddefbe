"""A Pod's state reaches the store, also one that takes nothing for a while."""

import asyncio
from types import SimpleNamespace

from tidegate.base.errors import Unavailable
from tidegate.engine.manual_clock import ManualClock, settle
from tidegate.runtime.pods import STORE_RETRY, _Reporter
from tidegate.runtime.states import PodState, Waiting

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "uid": "1"}}


class FullStore:
    """Takes nothing while it is full; keeps the last status otherwise."""

    full = True
    status: object = None

    async def get(self, key):
        return POD | {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}

    async def patch_status(self, key, patch, **_options):
        if self.full:
            raise Unavailable("the disk is full")
        self.status = patch


def reporter(store, clock):
    pod = POD | {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return _Reporter(SimpleNamespace(store=store, clock=clock), pod)


async def test_what_the_store_does_not_take_is_written_later():
    store, clock = FullStore(), ManualClock()
    reports = reporter(store, clock)
    reports.report(PodState(Waiting("Pulling", "an image")))
    await settle()
    store.full = False
    assert store.status is None
    await clock.advance(STORE_RETRY)
    assert "Pulling" in str(store.status)
    await reports.close()


async def test_the_end_does_not_wait_for_a_store_that_stays_full():
    store, clock = FullStore(), ManualClock()
    reports = reporter(store, clock)
    reports.report(PodState(Waiting("Pulling", "an image")))
    await settle()
    await asyncio.wait_for(reports.close(), 10)
    assert store.status is None
