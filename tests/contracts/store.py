"""What every implementation of ports.Store must do. Subclass StoreContract and give it a `store` fixture.

The objects are as the Kubernetes API takes them: in namespaces that are there (NAMESPACES), with fields that their
kinds have. What the API decides otherwise than one file can, a subclass says: who owns a status, and when a watch has
begun.
"""

import asyncio
import copy

import pytest

from tidegate.base.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from tidegate.kinds.objects import ObjectKey, key_of

GROUP = "image.toolkit.fluxcd.io"
NAMESPACES = ("flux-system", "web", "other", "a", "b")
POLICY = ObjectKey(GROUP, "ImagePolicy", "flux-system", "web")


def policy(name="web", namespace="flux-system", **metadata):
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ImagePolicy",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": ">=1.0.0"}}},
    }


def automation(name="web", namespace="flux-system"):
    git = {"commit": {"author": {"email": "flux@example.com"}}}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ImageUpdateAutomation",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"interval": "1m", "git": git, "sourceRef": {"kind": "GitRepository", "name": name}},
    }


def condition(kind, status="True"):
    return {
        "type": kind,
        "status": status,
        "reason": "Tested",
        "message": "as a test says",
        "lastTransitionTime": "2026-01-15T12:00:00Z",
    }


def config_map(data, name="settings", **metadata):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "web", **metadata},
        "data": data,
    }


def deployment(containers, name="web", **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
            **spec,
        },
    }


def status_of(obj):
    """A status without what a kind's definition fills in before anybody has written one."""
    status = obj.get("status") or {}
    return {name: value for name, value in status.items() if (name, value) != ("observedGeneration", -1)}


def containers_of(obj):
    return {item["name"]: item for item in obj["spec"]["template"]["spec"]["containers"]}


async def next_of(events, count=1, timeout=60.0):
    """The next `count` events of a watch."""
    async with asyncio.timeout(timeout):
        return [await anext(events) for _ in range(count)]


class StoreContract:
    """Tests by behaviour; each sentence is the port's docstring's or the Kubernetes API's."""

    status_owner = "controller"
    """Who owns a status that `controller` wrote: a cluster's store writes all under one name."""

    async def begun(self, store):
        """Return when a watch that was just asked for has begun."""
        await asyncio.sleep(0)

    # get, create

    async def test_what_was_created_is_read_back(self, store):
        created = await store.create(policy(labels={"team": "a"}), manager="test")
        assert await store.get(POLICY) == created
        # A definition may fill in defaults.
        assert created["spec"].items() >= policy()["spec"].items()
        assert created["metadata"]["labels"] == {"team": "a"}

    async def test_create_gives_identity(self, store):
        metadata = (await store.create(policy(), manager="test"))["metadata"]
        assert metadata["uid"]
        assert metadata["resourceVersion"]
        assert metadata["generation"] == 1
        assert metadata["creationTimestamp"].endswith("Z")

    async def test_create_twice_is_already_exists(self, store):
        await store.create(policy(), manager="test")
        with pytest.raises(AlreadyExists):
            await store.create(policy(), manager="test")

    async def test_create_keeps_no_status(self, store):
        created = await store.create(policy() | {"status": {"latestImage": "x:1"}}, manager="test")
        assert status_of(created) == {}

    async def test_get_of_nothing_is_not_found(self, store):
        with pytest.raises(NotFound):
            await store.get(POLICY)

    @pytest.mark.parametrize("name", ["", "Upper", "-dash", "a/b", "..", "a" * 254, "new\nline"])
    async def test_wrong_names_are_refused(self, store, name):
        with pytest.raises(InvalidInput):
            await store.create(policy(name), manager="test")

    async def test_returned_objects_are_the_callers_own(self, store):
        given = policy()
        created = await store.create(given, manager="test")
        created["spec"]["policy"]["semver"]["range"] = "changed"
        given["spec"]["policy"]["semver"]["range"] = "changed"
        (await store.get(POLICY))["spec"].clear()
        assert (await store.get(POLICY))["spec"]["policy"]["semver"]["range"] == ">=1.0.0"

    async def test_the_version_is_no_part_of_the_identity(self, store):
        await store.create(policy(), manager="test")
        with pytest.raises(AlreadyExists):
            await store.create(policy() | {"apiVersion": f"{GROUP}/v1beta2"}, manager="test")

    # list

    async def test_list_is_sorted_by_namespace_and_name(self, store):
        for namespace, name in [("b", "z"), ("a", "y"), ("b", "a")]:
            await store.create(policy(name, namespace), manager="test")
        # A cluster may have more, in namespaces of its own.
        found = (await store.list(GROUP, "ImagePolicy")).items
        items = [item for item in found if item["metadata"]["namespace"] in NAMESPACES]
        assert [(i["metadata"]["namespace"], i["metadata"]["name"]) for i in items] == [
            ("a", "y"),
            ("b", "a"),
            ("b", "z"),
        ]

    async def test_list_by_namespace_and_labels(self, store):
        await store.create(policy("one", labels={"app": "a", "tier": "x"}), manager="test")
        await store.create(policy("two", labels={"app": "b"}), manager="test")
        await store.create(policy("one", "other", labels={"app": "a"}), manager="test")
        found = await store.list(GROUP, "ImagePolicy", namespace="flux-system", labels={"app": "a"})
        assert [str(key_of(item)) for item in found.items] == ["ImagePolicy/flux-system/one"]

    async def test_a_list_of_nothing_is_empty_and_can_be_watched_from(self, store):
        listing = await store.list(GROUP, "ImagePolicy", namespace="flux-system")
        assert listing.items == []
        await store.create(policy(), manager="test")
        events = store.watch(GROUP, "ImagePolicy", namespace="flux-system", since=listing.resource_version)
        assert [event.type for event in await next_of(events)] == ["ADDED"]

    async def test_a_long_list_is_whole(self, store):
        for number in range(250):
            await store.create(config_map({}, f"c{number:03}"), manager="test")
        # A cluster has some of its own in other namespaces.
        listing = await store.list("", "ConfigMap", namespace="web")
        assert [item["metadata"]["name"] for item in listing.items] == [f"c{number:03}" for number in range(250)]

    # update

    async def test_update_replaces_all_but_status(self, store):
        await store.create(policy(labels={"a": "1"}), manager="test")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        wanted = policy(annotations={"b": "2"}) | {"status": {"latestImage": "ignored"}}
        updated = await store.update(wanted, manager="test")
        assert updated["metadata"].get("labels") is None
        assert updated["metadata"]["annotations"] == {"b": "2"}
        assert status_of(updated) == {"latestImage": "x:1"}

    async def test_update_with_a_stale_resource_version_is_a_conflict(self, store):
        stale = await store.create(policy(), manager="test")
        fresh = copy.deepcopy(stale)
        fresh["spec"]["policy"]["semver"]["range"] = "2"
        await store.update(fresh, manager="test")
        with pytest.raises(Conflict):
            await store.update(stale, manager="test")

    async def test_update_of_another_uid_is_a_conflict(self, store):
        created = await store.create(policy(), manager="test")
        await store.delete(POLICY)
        await store.create(policy(), manager="test")
        del created["metadata"]["resourceVersion"]
        with pytest.raises(Conflict):
            await store.update(created, manager="test")

    async def test_update_of_nothing_is_not_found(self, store):
        with pytest.raises(NotFound):
            await store.update(policy(), manager="test")

    async def test_generation_grows_with_spec_only(self, store):
        created = await store.create(policy(), manager="test")
        labelled = await store.patch(POLICY, {"metadata": {"labels": {"a": "1"}}}, manager="test")
        assert labelled["metadata"]["generation"] == 1
        assert labelled["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]
        with_status = await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        assert with_status["metadata"]["generation"] == 1
        changed = await store.patch(POLICY, {"spec": {"suspend": True}}, manager="test")
        assert changed["metadata"]["generation"] == 2

    async def test_an_update_that_changes_nothing_writes_nothing(self, store):
        # The first update of an object may write down the defaults of its definition.
        first = await store.update(await store.create(policy(), manager="test"), manager="test")
        again = await store.update(first, manager="test")
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    # patch, patch_status

    async def test_patch_merges_and_null_removes(self, store):
        await store.create(policy(labels={"a": "1", "b": "2"}), manager="test")
        patched = await store.patch(POLICY, {"metadata": {"labels": {"a": None, "c": "3"}}}, manager="test")
        assert patched["metadata"]["labels"] == {"b": "2", "c": "3"}

    async def test_patch_leaves_status_alone(self, store):
        await store.create(policy(), manager="test")
        patched = await store.patch(POLICY, {"status": {"latestImage": "x:1"}}, manager="test")
        assert status_of(patched) == {}

    async def test_patch_status_merges_and_replaces_lists(self, store):
        await store.create(policy(), manager="test")
        first = {"latestRef": {"name": "x", "tag": "1"}, "conditions": [condition("Ready"), condition("Reconciling")]}
        await store.patch_status(POLICY, first | {"latestImage": "x:1"}, manager="test")
        patched = await store.patch_status(
            POLICY,
            {"latestRef": {"tag": "2"}, "conditions": [condition("Stalled")], "latestImage": None},
            manager="test",
        )
        assert status_of(patched) == {"latestRef": {"name": "x", "tag": "2"}, "conditions": [condition("Stalled")]}

    @pytest.mark.parametrize("left", [{"observedPolicies": {"web": None}}, {"observedPolicies": None}])
    async def test_patch_status_takes_the_last_entry_out_of_a_map(self, store, left):
        key = ObjectKey(GROUP, "ImageUpdateAutomation", "flux-system", "web")
        await store.create(automation(), manager="test")
        full = {"observedPolicies": {"web": {"name": "a", "tag": "1"}}, "lastPushCommit": "c"}
        for _ in range(2):
            await store.patch_status(key, full, manager="test")
            emptied = await store.patch_status(key, left | {"lastPushCommit": "d"}, manager="test")
            assert status_of(emptied) in ({"lastPushCommit": "d"}, {"lastPushCommit": "d", "observedPolicies": {}})
            assert store.other_owner(emptied) is None

    async def test_patch_status_that_changes_nothing_writes_nothing(self, store):
        await store.create(policy(), manager="test")
        status = {"latestImage": "x:1", "conditions": [condition("Ready")]}
        first = await store.patch_status(POLICY, status, manager="test")
        again = await store.patch_status(POLICY, status | {"latestRef": None}, manager="test")
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    async def test_a_status_of_ours_alone_has_no_other_owner(self, store):
        await store.create(policy(), manager="test")
        assert store.other_owner(await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")) is None

    async def test_patch_status_of_another_uid_is_a_conflict(self, store):
        await store.create(policy(), manager="test")
        with pytest.raises(Conflict):
            await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test", uid="another")
        assert status_of(await store.get(POLICY)) == {}

    async def test_patch_status_goes_on_from_what_others_changed_since_the_object_was_read(self, store):
        await store.create(policy(), manager="test")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        await store.get(POLICY)
        await store.patch(POLICY, {"metadata": {"annotations": {"a": "1"}}}, manager="person")
        patched = await store.patch_status(POLICY, {"conditions": [condition("Ready")]}, manager="test")
        assert patched["metadata"]["annotations"] == {"a": "1"}
        assert status_of(patched) == {"latestImage": "x:1", "conditions": [condition("Ready")]}

    async def test_patch_status_of_one_that_was_made_anew_since_it_was_read_is_a_conflict(self, store):
        first = await store.create(policy(), manager="test")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        uid = (await store.get(POLICY))["metadata"]["uid"]
        await store.delete(POLICY)
        with pytest.raises(NotFound):
            await store.patch_status(POLICY, {"latestImage": "x:2"}, manager="test", uid=uid)
        assert (await store.create(policy(), manager="test"))["metadata"]["uid"] != first["metadata"]["uid"]
        with pytest.raises(Conflict):
            await store.patch_status(POLICY, {"latestImage": "x:2"}, manager="test", uid=uid)
        assert status_of(await store.get(POLICY)) == {}

    async def test_what_is_done_with_an_object_that_was_read_does_not_reach_its_status(self, store):
        await store.create(policy(), manager="test")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")
        mine = await store.get(POLICY)
        mine["status"] = {"latestImage": "mine"}
        patched = await store.patch_status(POLICY, {"conditions": []}, manager="test")
        assert status_of(patched) == {"latestImage": "x:1", "conditions": []}

    async def test_patches_of_nothing_are_not_found(self, store):
        with pytest.raises(NotFound):
            await store.patch(POLICY, {"spec": {}}, manager="test")
        with pytest.raises(NotFound):
            await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="test")

    # delete

    async def test_deleted_is_gone(self, store):
        await store.create(policy(), manager="test")
        await store.delete(POLICY)
        with pytest.raises(NotFound):
            await store.get(POLICY)
        with pytest.raises(NotFound):
            await store.delete(POLICY)

    async def test_delete_of_another_uid_is_a_conflict(self, store):
        await store.create(policy(), manager="test")
        with pytest.raises(Conflict):
            await store.delete(POLICY, uid="another")
        await store.get(POLICY)

    async def test_finalizers_hold_until_they_are_removed(self, store):
        await store.create(policy(finalizers=["finalizers.fluxcd.io"]), manager="test")
        await store.delete(POLICY)
        dying = await store.get(POLICY)
        assert dying["metadata"]["deletionTimestamp"]
        await store.delete(POLICY)
        await store.patch(POLICY, {"metadata": {"finalizers": None}}, manager="test")
        with pytest.raises(NotFound):
            await store.get(POLICY)

    async def test_a_new_object_of_the_same_name_has_another_uid(self, store):
        first = await store.create(policy(), manager="test")
        await store.delete(POLICY)
        second = await store.create(policy(), manager="test")
        assert first["metadata"]["uid"] != second["metadata"]["uid"]

    # watch

    async def test_watch_tells_every_change_in_order(self, store):
        listing = await store.list(GROUP, "ImagePolicy")
        await store.create(policy(), manager="test")
        await store.patch(POLICY, {"spec": {"suspend": True}}, manager="test")
        await store.delete(POLICY)
        events = await next_of(store.watch(GROUP, "ImagePolicy", since=listing.resource_version), 3)
        assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert "suspend" not in events[0].object["spec"]
        assert events[2].object["spec"]["suspend"] is True
        versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))

    async def test_watch_without_a_version_begins_now(self, store):
        await store.create(policy("before"), manager="test")
        events = store.watch(GROUP, "ImagePolicy")
        waiting = asyncio.ensure_future(next_of(events))
        await self.begun(store)
        await store.create(policy("after"), manager="test")
        assert [event.object["metadata"]["name"] for event in await waiting] == ["after"]

    async def test_watch_goes_on_without_a_gap(self, store):
        listing = await store.list("", "ConfigMap", namespace="web")
        events = store.watch("", "ConfigMap", namespace="web", since=listing.resource_version)
        names = [f"c{number:03}" for number in range(120)]

        async def write():
            for name in names:
                await store.create(config_map({}, name), manager="test")

        writing = asyncio.ensure_future(write())
        seen = [event.object["metadata"]["name"] for event in await next_of(events, 120)]
        await writing
        assert seen == names

    async def test_watch_sees_its_kind_and_namespace_only(self, store):
        listing = await store.list(GROUP, "ImagePolicy")
        await store.create(policy("x", "other"), manager="test")
        await store.create(config_map({}), manager="test")
        await store.create(policy("y"), manager="test")
        events = store.watch(GROUP, "ImagePolicy", namespace="flux-system", since=listing.resource_version)
        assert [event.object["metadata"]["name"] for event in await next_of(events)] == ["y"]

    # apply

    async def test_apply_creates_then_changes_nothing(self, store):
        first = await store.apply(config_map({"a": "1"}), manager="one")
        assert (first.created, first.changed) == (True, True)
        again = await store.apply(config_map({"a": "1"}), manager="one")
        assert (again.created, again.changed) == (False, False)
        assert again.object["metadata"]["resourceVersion"] == first.object["metadata"]["resourceVersion"]

    async def test_apply_removes_what_is_no_longer_given(self, store):
        await store.apply(config_map({"a": "1", "b": "2"}, labels={"x": "1"}), manager="one")
        applied = await store.apply(config_map({"a": "1"}), manager="one")
        assert applied.changed
        assert applied.object["data"] == {"a": "1"}
        assert not applied.object["metadata"].get("labels")

    async def test_apply_keeps_what_others_own(self, store):
        await store.apply(config_map({"a": "1"}), manager="one")
        await store.apply(config_map({"b": "2"}), manager="two")
        applied = await store.apply(config_map({"c": "3"}), manager="one")
        assert applied.object["data"] == {"b": "2", "c": "3"}

    async def test_apply_over_another_managers_value_is_a_conflict_that_names_it(self, store):
        await store.apply(config_map({"a": "1"}), manager="one")
        with pytest.raises(Conflict) as error:
            await store.apply(config_map({"a": "2"}), manager="two")
        assert '"one"' in str(error.value)
        assert ".data.a" in str(error.value)
        assert (await store.get(key_of(config_map({}))))["data"] == {"a": "1"}

    async def test_the_same_value_is_owned_by_both(self, store):
        await store.apply(config_map({"a": "1"}), manager="one")
        await store.apply(config_map({"a": "1"}), manager="two")
        kept = await store.apply(config_map({}), manager="one")
        assert kept.object["data"] == {"a": "1"}
        gone = await store.apply(config_map({}), manager="two")
        assert not gone.object.get("data")

    async def test_force_takes_the_field(self, store):
        await store.apply(config_map({"a": "1"}), manager="one")
        await store.apply(config_map({"a": "2"}), manager="two", force=True)
        with pytest.raises(Conflict):
            await store.apply(config_map({"a": "1"}), manager="one")

    async def test_an_updated_field_conflicts_with_the_updater(self, store):
        await store.apply(config_map({"a": "1"}), manager="one")
        await store.patch(key_of(config_map({})), {"data": {"a": "2"}}, manager="editor")
        with pytest.raises(Conflict, match="editor"):
            await store.apply(config_map({"a": "1"}), manager="one")
        forced = await store.apply(config_map({"a": "1"}), manager="one", force=True)
        assert forced.object["data"] == {"a": "1"}

    async def test_containers_merge_by_name(self, store):
        await store.apply(deployment([{"name": "web", "image": "web:1"}]), manager="one")
        sidecar = deployment([{"name": "log", "image": "log:1"}])
        await store.apply(sidecar, manager="two")
        applied = await store.apply(deployment([{"name": "web", "image": "web:2"}]), manager="one")
        assert {name: c["image"] for name, c in containers_of(applied.object).items()} == {
            "web": "web:2",
            "log": "log:1",
        }

    async def test_a_dry_run_writes_nothing(self, store):
        dry = await store.apply(config_map({"a": "1"}), manager="one", dry_run=True)
        assert dry.object["data"] == {"a": "1"}
        with pytest.raises(NotFound):
            await store.get(key_of(config_map({})))

    async def test_apply_never_touches_status(self, store):
        await store.apply(policy() | {"status": {"latestImage": "given"}}, manager="one")
        await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="controller")
        applied = await store.apply(policy() | {"status": {"latestImage": "given"}}, manager="one", force=True)
        assert status_of(applied.object) == {"latestImage": "x:1"}

    async def test_status_has_an_owner_of_its_own(self, store):
        await store.apply(policy(), manager="one")
        written = await store.patch_status(POLICY, {"latestImage": "x:1"}, manager="controller")
        lines = {(line["manager"], line.get("subresource")) for line in written["metadata"]["managedFields"]}
        assert lines == {("one", None), (self.status_owner, "status")}
