"""When a forge is asked for open requests, and what of its answer is news."""

from types import SimpleNamespace

import pytest

from tidegate.base.errors import InvalidInput, RateLimited, Unavailable
from tidegate.engine.manual_clock import ManualClock
from tidegate.forge.open_requests import OpenRequest
from tidegate.git.mirror import Mirrors
from tidegate.kinds.runner import Runner
from tidegate.kinds.workflow_run import WorkflowRun
from tidegate.runner import request_watch
from tidegate.runner.request_runs import handled_heads, is_of_forge, request_changes
from tidegate.runner.request_watch import RequestWatch

A, B = "ab" * 20, "cd" * 20


class World:
    """A Runner, its source, and how often the forge was asked; `answers` come one after the other."""

    def __init__(self, tmp_path, monkeypatch, **source):
        self.clock, self.asked, self.errors = ManualClock(), 0, []
        self.watch = RequestWatch(Mirrors(tmp_path))
        metadata = {"name": "shop", "namespace": "x"}
        spec = {"url": "https://github.com/acme/shop", "ref": {"branch": "main"}, "interval": "10m", **source}
        self.source = {
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": spec,
            "status": {"artifact": {"revision": "main@sha1:1"}},
        }  # fmt: skip
        self.runner = runner()

        async def source_of(_store, _runner):
            return self.source

        async def asked(_self, *_):
            self.asked += 1
            if self.errors:
                raise self.errors.pop(0)
            return "look"

        monkeypatch.setattr(request_watch, "source_of", source_of)
        monkeypatch.setattr(RequestWatch, "_asked", asked)

    async def look(self):
        return await self.watch.look(self.runner, SimpleNamespace(store=None, clock=self.clock))

    async def after(self, seconds):
        await self.clock.advance(seconds)
        return await self.look()


def runner(**spec):
    obj = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "Runner", "metadata": {"name": "shop", "namespace": "x"}}
    return Runner.from_object({**obj, "spec": {"repository": "acme/shop", "sourceRef": {"name": "shop"}, **spec}})


async def test_a_forge_is_asked_at_the_sources_interval(tmp_path, monkeypatch):
    world = World(tmp_path, monkeypatch)
    assert await world.look() == "look"
    assert await world.after(599) is None
    assert await world.after(2) == "look"
    assert world.asked == 2


async def test_it_is_asked_at_most_once_a_minute_but_at_news(tmp_path, monkeypatch):
    world = World(tmp_path, monkeypatch, interval="1s")
    await world.look()
    assert await world.after(30) is None
    world.source["status"]["artifact"] = {"revision": "main@sha1:2"}
    assert await world.look() == "look"
    world.source["status"]["lastHandledReconcileAt"] = "now"
    assert await world.after(1) is None  # a moment later it is
    assert await world.after(5) == "look"
    assert world.asked == 3


async def test_a_forge_that_has_had_enough_is_left_alone_for_as_long_as_it_says(tmp_path, monkeypatch):
    world = World(tmp_path, monkeypatch, interval="1m")
    world.errors = [RateLimited("enough", retry_after=1800), Unavailable("gone")]
    with pytest.raises(RateLimited):
        await world.look()
    world.source["status"]["artifact"] = {"revision": "main@sha1:2"}
    assert await world.after(1799) is None
    with pytest.raises(Unavailable):
        await world.after(2)
    assert await world.after(100) is None
    assert await world.after(30) == "look"


async def test_a_plain_git_server_is_never_asked_unless_it_is_said_what_it_is(tmp_path, monkeypatch):
    world = World(tmp_path, monkeypatch, url="https://git.example.com/acme/shop")
    assert await world.look() is None
    assert world.asked == 0
    world.runner = runner(pullRequests={"api": "forgejo"})
    assert await world.look() == "look"
    world.runner = runner(pullRequests={})
    with pytest.raises(InvalidInput):
        await world.after(1000)


async def test_the_forge_of_a_suspended_source_is_not_asked(tmp_path, monkeypatch):
    world = World(tmp_path, monkeypatch, suspend=True)
    assert await world.look() is None
    assert world.asked == 0


async def test_of_a_verified_source_no_request_is_run(tmp_path, monkeypatch):
    verify = {"mode": "HEAD", "secretRef": {"name": "keys"}}
    world = World(tmp_path, monkeypatch, verify=verify)
    with pytest.raises(InvalidInput, match="only what was verified"):
        await world.look()
    assert world.asked == 0


def one(number, head=A, **more):
    return OpenRequest(number, "T", "u", "topic", head, "main", **more)


def test_what_is_new_has_moved_or_come_back_is_a_change():
    known = {"1": A, "3": A}
    found = request_changes(known, 3, [one(4), one(3, B), one(2), one(1)], forks=True)
    assert [(change.request.number, change.action) for change in found] == [
        (2, "reopened"), (3, "synchronize"), (4, "opened"),
    ]  # fmt: skip


def test_forks_are_left_out_where_they_are_not_wanted():
    assert request_changes({}, 0, [one(1, is_fork=True)], forks=False) == []
    assert len(request_changes({}, 0, [one(1, is_fork=True)], forks=True)) == 1


def test_what_could_not_be_handled_stays_as_it_was():
    known = {"1": A, "2": A, "5": A}
    heads = handled_heads(known, [one(1, B), one(2, B), one(3, B), one(4, B)], {2: "ef" * 20}, frozenset({1, 3}))
    assert heads == {"1": A, "2": "ef" * 20, "4": B, "5": None}


def test_a_run_that_lacks_what_a_forge_tells_is_one_by_hand():
    def run(**cause):
        obj = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "WorkflowRun", "metadata": {"name": "r"}}
        spec = {"repository": "a/b", "workflow": "ci.yaml", "event": "pull_request", "cause": cause}
        return WorkflowRun.from_object({**obj, "spec": spec})

    assert is_of_forge(run(number="7", action="opened", head=A, base=B))
    assert not is_of_forge(run(number="7", action="opened", head=A))
    assert not is_of_forge(run(number="x", action="opened", head=A, base=B))
    assert not is_of_forge(run())
