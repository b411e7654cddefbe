"""What one write leads to: namespaces, owners, finalizers, generated names, defaults, dry runs."""

import pytest
from tests.contracts.store import POLICY, config_map, deployment, policy

from tidegate.base.errors import AlreadyExists, Conflict, InvalidInput, LimitExceeded, NotFound
from tidegate.engine import sqlite_lifecycle as lifecycle
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import ObjectKey, key_of

NAMESPACE = ObjectKey("", "Namespace", "", "flux-system")


def owned(obj, owner):
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    obj["metadata"].setdefault("ownerReferences", []).append(reference | {"uid": owner["metadata"]["uid"]})
    return obj


async def gone(store, key):
    try:
        await store.get(key)
    except NotFound:
        return True
    return False


# Namespaces


async def test_default_is_there_from_the_start(store):
    found = await store.get(ObjectKey("", "Namespace", "", "default"))
    assert found["status"]["phase"] == "Active"


async def test_a_namespace_appears_on_first_use(store):
    await store.create(policy(), manager="test")
    found = await store.get(NAMESPACE)
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "flux-system"}


async def test_deleting_a_namespace_deletes_what_is_in_it(store):
    for number in range(230):
        await store.create(policy(f"p{number}"), manager="test")
    await store.create(policy("other", "other"), manager="test")
    await store.delete(NAMESPACE)
    assert await gone(store, NAMESPACE)
    items = (await store.list("image.toolkit.fluxcd.io", "ImagePolicy")).items
    assert [item["metadata"]["name"] for item in items] == ["other"]


async def test_a_namespace_waits_for_finalizers_and_takes_nothing_new(store):
    await store.create(policy(finalizers=["x"]), manager="test")
    await store.delete(NAMESPACE)
    assert (await store.get(NAMESPACE))["status"]["phase"] == "Terminating"
    with pytest.raises(Conflict) as error:
        await store.create(policy("late"), manager="test")
    assert error.value.code == "NamespaceTerminating"
    await store.patch(POLICY, {"metadata": {"finalizers": []}}, manager="test")
    assert await gone(store, NAMESPACE)


async def test_an_event_brings_no_namespace_about_and_is_never_refused(store):
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "nowhere"}, "reason": "x"}
    await store.create(event, manager="test")
    assert await gone(store, ObjectKey("", "Namespace", "", "nowhere"))
    await store.create(policy(finalizers=["x"]), manager="test")
    await store.delete(NAMESPACE)
    event["metadata"]["namespace"] = "flux-system"
    await store.create(event, manager="test")


# Owners


async def test_deleting_an_owner_deletes_dependents_of_dependents(store):
    top = await store.create(policy("top"), manager="test")
    middle = await store.create(owned(policy("middle"), top), manager="test")
    bottom = await store.create(owned(policy("bottom"), middle), manager="test")
    await store.delete(key_of(top))
    assert await gone(store, key_of(middle))
    assert await gone(store, key_of(bottom))


async def test_a_dependent_lives_as_long_as_one_of_its_owners(store):
    one = await store.create(policy("one"), manager="test")
    two = await store.create(policy("two"), manager="test")
    shared = await store.create(owned(owned(policy("shared"), one), two), manager="test")
    await store.delete(key_of(one))
    assert not await gone(store, key_of(shared))
    await store.delete(key_of(two))
    assert await gone(store, key_of(shared))


async def test_orphans_stay(store):
    owner = await store.create(policy("owner"), manager="test")
    child = await store.create(owned(policy("child"), owner), manager="test")
    await store.delete(key_of(owner), orphan=True)
    assert not (await store.get(key_of(child)))["metadata"].get("ownerReferences")


async def test_an_owner_with_finalizers_keeps_its_dependents_until_it_goes(store):
    owner = await store.create(policy("owner", finalizers=["x"]), manager="test")
    child = await store.create(owned(policy("child"), owner), manager="test")
    await store.delete(key_of(owner))
    assert not await gone(store, key_of(child))
    await store.patch(key_of(owner), {"metadata": {"finalizers": None}}, manager="test")
    assert await gone(store, key_of(child))


async def test_a_sweep_that_a_crash_cut_short_goes_on_after_the_restart(tmp_path, clock):
    first = SqliteStore(tmp_path / "store.db", clock)
    owner = await first.create(policy("owner"), manager="test")
    child = await first.create(owned(policy("child"), owner), manager="test")
    with first._writing():
        first._objects.delete(key_of(owner), owner)
    first.close()
    second = SqliteStore(tmp_path / "store.db", clock)
    await second.sweep()
    assert await gone(second, key_of(child))
    second.close()


# Names, scopes, sizes


async def test_generate_name_makes_a_name(store):
    obj = policy()
    obj["metadata"] = {"generateName": "run-", "namespace": "flux-system"}
    names = {(await store.create(obj, manager="test"))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "metadata.namespace"),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}}, "metadata.namespace"),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}}, "metadata.name"),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "../b"}},
            "metadata.namespace",
        ),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b", "labels": {"a": 1}}},
            "metadata.labels",
        ),
        ({"apiVersion": "a/b/c", "kind": "Thing", "metadata": {"name": "a"}}, "apiVersion"),
        ({"apiVersion": "v1", "kind": "../x", "metadata": {"name": "a"}}, "kind"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}, "spec": 5}, "spec"),
        ({"apiVersion": "a/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": ["x"]}, "spec"),
    ],
)
async def test_what_no_object_may_be(store, obj, field):
    with pytest.raises(InvalidInput) as error:
        await store.create(obj, manager="test")
    assert error.value.where.field == field


async def test_names_of_roles_may_hold_colons(store):
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:x"}}
    assert await store.create(role, manager="test")


async def test_an_object_has_a_largest_size(store):
    with pytest.raises(LimitExceeded):
        await store.create(config_map({"big": "x" * (3 * 1024 * 1024)}), manager="test")


async def test_an_object_has_a_largest_number_of_values(store):
    data = {f"k{number}": "v" for number in range(lifecycle.VALUES_LIMIT)}
    with pytest.raises(LimitExceeded, match="values"):
        await store.create(config_map(data), manager="test")


async def test_what_is_no_json_is_refused(store):
    with pytest.raises(InvalidInput):
        await store.create(config_map({"a": float("nan")}), manager="test")
    with pytest.raises(InvalidInput):
        await store.create(config_map({"a": object()}), manager="test")
    with pytest.raises(InvalidInput):
        await store.create(config_map({"a": "\ud800"}), manager="test")
    assert await store.create(config_map({"a": "\U0001f30a"}), manager="test")


# Defaults


async def test_a_deployment_has_what_kubectl_reads_blindly(store):
    created = await store.create(
        deployment([{"name": "a", "image": "x", "ports": [{"containerPort": 80}]}]), manager="t"
    )
    spec = created["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert spec["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


async def test_recreate_takes_no_rolling_update(store):
    created = await store.create(deployment([], strategy={"type": "Recreate"}), manager="t")
    assert created["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_service_port_has_a_protocol_and_a_target(store):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "web"}}
    created = await store.create(service | {"spec": {"ports": [{"port": 80}]}}, manager="t")
    assert created["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert created["spec"]["type"] == "ClusterIP"


async def test_string_data_of_a_secret_is_never_stored_in_plain(store):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "web"}}
    created = await store.create(secret | {"stringData": {"a": "hidden"}}, manager="t")
    assert created["data"] == {"a": "aGlkZGVu"}
    assert "stringData" not in created
    applied = await store.apply(secret | {"stringData": {"a": "other"}}, manager="t", force=True)
    assert applied.object["data"] == {"a": "b3RoZXI="}
    again = await store.apply(secret | {"stringData": {"a": "other"}}, manager="t")
    assert not again.changed


async def test_applying_a_deployment_again_changes_nothing_though_defaults_were_added(store):
    config = deployment([{"name": "a", "image": "x", "ports": [{"containerPort": 80}]}])
    await store.apply(config, manager="t")
    assert not (await store.apply(config, manager="t")).changed


# Dry runs


async def test_dry_runs_check_everything_and_store_nothing(store):
    version = store.latest_version()
    dry = await store.create(policy(), manager="t", dry_run=True)
    assert dry["metadata"]["uid"]
    assert await gone(store, POLICY)
    assert await gone(store, NAMESPACE)
    assert store.latest_version() == version
    await store.create(policy(), manager="t")
    with pytest.raises(AlreadyExists):
        await store.create(policy(), manager="t", dry_run=True)
    await store.delete(POLICY, dry_run=True)
    await store.modify(POLICY, lambda live: live | {"spec": {}}, manager="t", dry_run=True)
    assert (await store.get(POLICY))["spec"] == policy()["spec"]


async def test_a_write_that_fails_leaves_no_trace(store):
    def fails(_live):
        raise InvalidInput("no")

    await store.create(policy(), manager="t")
    before = await store.get(POLICY)
    with pytest.raises(InvalidInput):
        await store.modify(POLICY, fails, manager="t")
    assert await store.get(POLICY) == before


async def test_an_update_cant_rename(store):
    await store.create(policy(), manager="t")
    with pytest.raises(InvalidInput):
        await store.modify(POLICY, lambda live: live | {"kind": "ImageRepository"}, manager="t")


async def test_kinds_names_what_is_stored(store):
    thing = {"apiVersion": "example.org/v1beta1", "kind": "Thing", "metadata": {"name": "x", "namespace": "web"}}
    await store.create(thing, manager="t")
    assert ("example.org", "Thing", "v1beta1", True) in store.kinds()
    await store.delete(key_of(thing))
    assert ("example.org", "Thing", "v1beta1", True) not in store.kinds()
