from tidegate.deploy.inventory import in_order, inventory_of, may_prune, owned, to_prune, union
from tidegate.kinds.inventory import keys_of
from tidegate.kinds.objects import ObjectKey


def an_object(kind, name, namespace="shop", api_version="v1", **metadata):
    found = {"name": name, **({"namespace": namespace} if namespace else {}), **metadata}
    return {"apiVersion": api_version, "kind": kind, "metadata": found}


def test_entries_have_flux_form():
    # Flux's API documents: "id: <namespace>_<name>_<group>_<kind>", v: the version
    objects = [an_object("Deployment", "web", api_version="apps/v1"), an_object("Namespace", "shop", namespace="")]
    assert inventory_of(objects) == {
        "entries": [
            {"id": "_shop__Namespace", "v": "v1"},
            {"id": "shop_web_apps_Deployment", "v": "v1"},
        ]
    }


def test_an_entry_reads_back_as_its_key_colons_included():
    role = an_object("ClusterRole", "system:view", namespace="", api_version="rbac.authorization.k8s.io/v1")
    assert keys_of(inventory_of([role])) == [ObjectKey("rbac.authorization.k8s.io", "ClusterRole", "", "system:view")]
    assert keys_of({"entries": [{"id": "nonsense"}, {}]}) == []
    assert keys_of(None) == []


def test_what_is_no_longer_wanted_is_pruned_in_reverse_order():
    before = inventory_of(
        [an_object("Namespace", "shop", namespace=""), an_object("ConfigMap", "a"), an_object("ConfigMap", "b")]
    )
    assert to_prune(before, [an_object("ConfigMap", "a")]) == [
        ObjectKey("", "ConfigMap", "shop", "b"),
        ObjectKey("", "Namespace", "", "shop"),
    ]


def test_an_object_is_pruned_only_by_its_owner_and_unless_it_opts_out():
    mine = owned(an_object("ConfigMap", "a"), "apps", "flux-system")
    assert may_prune(mine, "apps", "flux-system")
    assert not may_prune(mine, "other", "flux-system")
    assert not may_prune(an_object("ConfigMap", "a"), "apps", "flux-system")
    kept = an_object("ConfigMap", "a", annotations={"kustomize.toolkit.fluxcd.io/prune": "disabled"})
    assert not may_prune(owned(kept, "apps", "flux-system"), "apps", "flux-system")


def test_namespaces_and_definitions_come_first_and_webhooks_last():
    kinds = [
        "ValidatingWebhookConfiguration",
        "Gateway",
        "Deployment",
        "CustomResourceDefinition",
        "Namespace",
        "Service",
    ]
    ordered = [obj["kind"] for obj in in_order(an_object(kind, "x") for kind in kinds)]
    assert ordered == [
        "Namespace", "CustomResourceDefinition", "Service", "Deployment", "Gateway", "ValidatingWebhookConfiguration",
    ]  # fmt: skip


def test_a_union_forgets_nothing_and_doubles_nothing():
    first, second = inventory_of([an_object("ConfigMap", "a")]), inventory_of([an_object("ConfigMap", "b")])
    assert union(first, second) == union(union(first, second), first)
    assert len(union(first, second)["entries"]) == 2
    assert union(None, first) == first
