"""What the API tells of itself."""

import pytest

from tidegate.kinds.resources import KNOWN
from tidegate.serve.kubernetes.discovery import VERBS

THING = {
    "apiVersion": "example.org/v1alpha1",
    "kind": "Thing",
    "metadata": {"name": "x", "namespace": "web"},
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "oxen.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Cluster",
        "names": {"kind": "Ox", "plural": "oxen", "singular": "ox", "shortNames": ["o"], "categories": ["all"]},
        "versions": [
            {"name": "v1beta1", "served": True},
            {
                "name": "v1",
                "served": True,
                "additionalPrinterColumns": [
                    {"name": "Weight", "type": "integer", "jsonPath": ".spec.weight"},
                    {"name": "Born", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
                ],
            },
            {"name": "v2", "served": False},
        ],
    },
}


async def test_version_says_a_kubernetes_level(anonymous):
    version = (await anonymous.get("/version")).json()
    assert (version["major"], version["minor"]) == ("1", "33")
    assert "0.1.0" in version["gitVersion"]


async def test_core_and_groups(anonymous):
    assert (await anonymous.get("/api")).json()["versions"] == ["v1"]
    groups = {group["name"]: group for group in (await anonymous.get("/apis")).json()["groups"]}
    assert groups["image.toolkit.fluxcd.io"]["preferredVersion"]["version"] == "v1"
    assert [v["version"] for v in groups["image.toolkit.fluxcd.io"]["versions"]] == ["v1", "v1beta2", "v1beta1"]
    one = (await anonymous.get("/apis/apps")).json()
    assert (one["kind"], one["name"]) == ("APIGroup", "apps")


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
async def test_resources_of_a_version(anonymous, version):
    answer = (await anonymous.get(f"/apis/image.toolkit.fluxcd.io/{version}")).json()
    assert answer["groupVersion"] == f"image.toolkit.fluxcd.io/{version}"
    resources = {line["name"]: line for line in answer["resources"]}
    policy = resources["imagepolicies"]
    assert policy["kind"] == "ImagePolicy"
    assert policy["shortNames"] == ["imgpol", "imagepol"]
    assert policy["verbs"] == VERBS
    assert resources["imagepolicies/status"]["verbs"] == ["get", "patch", "update"]


async def test_pods_have_logs_and_deployments_scale(anonymous):
    core = {line["name"] for line in (await anonymous.get("/api/v1")).json()["resources"]}
    assert {"pods", "pods/log", "pods/status", "secrets"} <= core
    apps = {line["name"]: line for line in (await anonymous.get("/apis/apps/v1")).json()["resources"]}
    assert apps["deployments/scale"]["kind"] == "Scale"


async def test_aggregated_discovery_tells_the_same(anonymous):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    for path in ("/api", "/apis"):
        answer = await anonymous.get(path, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("application/json;g=apidiscovery.k8s.io;v=v2")
        groups = answer.json()["items"]
        found = {
            (g["metadata"]["name"], r["responseKind"]["kind"])
            for g in groups
            for v in g["versions"]
            for r in v["resources"]
        }
        assert found == {(r.group, r.kind) for r in KNOWN if bool(r.group) == (path == "/apis")}


@pytest.mark.parametrize("path", ["/apis/none.example", "/apis/apps/v9", "/apis/apps/v1/none", "/api/v1/none/x/y/z"])
async def test_what_is_not_there_is_404(anonymous, path):
    answer = await anonymous.get(path)
    assert answer.status_code == 404
    assert answer.json()["reason"] == "NotFound"


async def test_a_stored_kind_that_nobody_defines_is_discovered(http, store):
    await store.create(THING, manager="test")
    resources = (await http.get("/apis/example.org/v1alpha1")).json()["resources"]
    assert [line["name"] for line in resources if "/" not in line["name"]] == ["things"]
    assert (await http.get("/apis/example.org/v1alpha1/namespaces/web/things/x")).json()["kind"] == "Thing"


async def test_a_definition_gives_names_versions_scope_and_columns(http):
    answer = await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=DEFINITION)
    assert answer.status_code == 201
    group = (await http.get("/apis/example.org")).json()
    assert [v["version"] for v in group["versions"]] == ["v1", "v1beta1"]
    (line, *_) = (await http.get("/apis/example.org/v1")).json()["resources"]
    assert (line["name"], line["namespaced"], line["shortNames"]) == ("oxen", False, ["o"])
    ox = {"apiVersion": "example.org/v1", "kind": "Ox", "metadata": {"name": "berta"}, "spec": {"weight": 700}}
    assert (await http.post("/apis/example.org/v1/oxen", json=ox)).status_code == 201
    table = (
        await http.get("/apis/example.org/v1/oxen", headers={"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"})
    ).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Weight", "Born"]
    assert table["rows"][0]["cells"] == ["berta", 700, "0s"]


async def test_openapi_lists_field_validation_of_patch_for_every_kind(anonymous):
    index = (await anonymous.get("/openapi/v3")).json()["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/image.toolkit.fluxcd.io/v1beta2"} <= set(index)
    for resource in KNOWN:
        name = f"apis/{resource.group}/{resource.versions[0]}" if resource.group else "api/v1"
        document = (await anonymous.get(index[name]["serverRelativeURL"])).json()
        patches = [path["patch"] for path in document["paths"].values() if "patch" in path]
        (patch,) = [p for p in patches if p["x-kubernetes-group-version-kind"]["kind"] == resource.kind]
        assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in patch["parameters"]}


async def test_openapi_v2_is_there_for_old_clients(anonymous):
    assert (await anonymous.get("/openapi/v2")).json()["swagger"] == "2.0"
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = await anonymous.get("/openapi/v2", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert answer.content == b"\x0a\x032.0\x12\x0e\x0a\x08Tidegate\x12\x02v1"
