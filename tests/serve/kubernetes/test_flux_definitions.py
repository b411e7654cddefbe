"""What the flux client looks for on one machine: definitions and Deployments by Flux's labels."""

import pytest

from tidegate.kinds.controllers import ALL
from tidegate.serve.kubernetes.definitions import store_definitions

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OF_FLUX = {"labelSelector": "app.kubernetes.io/part-of=flux"}


@pytest.fixture
async def stored(store):
    await store_definitions(store, "0.1.0+local")
    return store


async def test_the_definitions_are_found_by_flux_s_label_with_their_stored_version(http, stored):
    found = (await http.get(CRDS, params=OF_FLUX)).json()["items"]
    assert {one["spec"]["names"]["kind"] for one in found} == set(ALL)
    for one in found:
        assert one["status"]["storedVersions"] == [one["spec"]["versions"][0]["name"]]
        assert [condition["status"] for condition in one["status"]["conditions"]] == ["True", "True"]
    source = (await http.get(f"{CRDS}/gitrepositories.source.toolkit.fluxcd.io")).json()
    assert source["metadata"]["labels"] == {
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/managed-by": "tidegate",
        "app.kubernetes.io/version": "tidegate-0.1.0_local",
    }
    assert [version["name"] for version in source["spec"]["versions"]] == ["v1", "v1beta2", "v1beta1"]


async def test_storing_them_again_writes_nothing(store, stored):
    before = store.latest_version()
    await store_definitions(store, "0.1.0+local")
    assert store.latest_version() == before


async def test_a_later_version_says_so(http, stored, store):
    await store_definitions(store, "0.2.0")
    source = (await http.get(f"{CRDS}/gitrepositories.source.toolkit.fluxcd.io")).json()
    assert source["metadata"]["labels"]["app.kubernetes.io/version"] == "tidegate-0.2.0"


async def test_a_definition_that_a_kustomization_has_applied_stays_as_it_is(http, stored, store):
    theirs = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "gitrepositories.source.toolkit.fluxcd.io",
            "labels": {"app.kubernetes.io/version": "v2.9.5"},
        },
    }
    await store.apply(theirs, manager="kustomize-controller", force=True)
    await store_definitions(store, "0.1.0+local")
    source = (await http.get(f"{CRDS}/gitrepositories.source.toolkit.fluxcd.io")).json()
    assert source["metadata"]["labels"]["app.kubernetes.io/version"] == "v2.9.5"


async def test_the_kinds_keep_the_columns_of_their_own(http, stored):
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    path = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system/imagepolicies"
    table = (await http.get(path, headers=headers)).json()
    assert [column["name"] for column in table["columnDefinitions"]][:2] == ["Name", "LatestImage"]


async def test_each_deployment_is_found_by_flux_s_label_and_leads_to_one_running_pod(http):
    path = "/apis/apps/v1/namespaces/flux-system/deployments"
    deployments = (await http.get(path, params=OF_FLUX)).json()["items"]
    assert deployments
    for deployment in deployments:
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        [pod] = (await http.get("/api/v1/namespaces/flux-system/pods", params={"labelSelector": selector})).json()[
            "items"
        ]
        assert pod["status"]["phase"] == "Running"
        [container] = pod["spec"]["containers"]
        assert container["name"] == "manager"
        assert container["image"].startswith("tidegate:")


async def test_the_version_is_new_enough_for_flux(http):
    version = (await http.get("/version")).json()
    assert version["gitVersion"].startswith("v1.33.0+tidegate-")
