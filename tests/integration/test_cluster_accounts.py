"""A Kustomization that is applied as its account, or to another cluster, by the whole process at the API server."""

import base64
import json

import pytest
import yaml
from tests.integration.cluster_deploys import (
    APPS,
    KUSTOMIZATIONS,
    SYSTEM,
    DeployWorld,
    condition,
    config_map,
    kustomization,
    namespace,
)

from tidegate.serve.kubeconfig import kubeconfig

pytestmark = pytest.mark.integration
BLUE, RED = "/api/v1/namespaces/blue/configmaps", "/api/v1/namespaces/red/configmaps"
EDGE = f"{KUSTOMIZATIONS}/edge"


async def test_a_kustomization_has_the_rights_of_its_account_or_its_kubeconfig(bare_cluster, tmp_path):
    async with DeployWorld.opened(bare_cluster, tmp_path) as world:
        documents = [namespace("blue"), namespace("red"), *account("deployer", "blue"), *account("far", "red")]
        await bare_cluster.kubectl("apply", "-f", "-", stdin="---\n".join(documents))
        await world.start()
        await applied_as_its_account(world)
        await refused_elsewhere(world)
        await pruned_as_its_account(world)
        await applied_by_a_kubeconfig(world)
        await an_account_needs_the_right_to_be_it(world)
        await what_is_not_done_is_named(world)
        await without_its_account_it_goes_and_leaves_what_it_applied(world)
        await with_its_kubeconfig_it_prunes_at_its_end(world)


async def applied_as_its_account(world):
    await world.follow(serviceAccountName="deployer", wait=True, timeout="1m")
    await world.applied(await world.push({"apps/a.yaml": config_map("one", namespace="blue")}))
    assert "one" in await names(world, BLUE)


async def refused_elsewhere(world):
    """The controller itself is cluster-admin: it is the account that may not."""
    await world.push({"apps/b.yaml": config_map("two", namespace="red")})
    refused = await world.cluster.until(APPS, lambda found: "red" in condition(found, "Ready")["message"])
    ready = condition(refused, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Denied")
    assert f'User "system:serviceaccount:{SYSTEM}:deployer" cannot get resource "configmaps"' in ready["message"]
    assert f"give the ServiceAccount {SYSTEM}/deployer that right" in ready["message"]
    assert "two" not in await names(world, RED)
    # What could not be applied is not there to be pruned, for which the right is missing too.
    assert "two" not in json.dumps(refused["status"]["inventory"])


async def pruned_as_its_account(world):
    files = {"apps/a.yaml": None, "apps/b.yaml": None, "apps/c.yaml": config_map("three", namespace="blue")}
    await world.applied(await world.push(files))
    assert await names(world, BLUE) == {"three"}


async def applied_by_a_kubeconfig(world):
    """The same server, under a user that may write where the other may not."""
    token = await world.cluster.account_token(SYSTEM, "far")
    config = kubeconfig(world.cluster.url, token, ca=world.cluster.ca.read_bytes())
    await world.cluster.kubectl("apply", "-f", "-", stdin=a_secret("edge", value=config))
    edge = kustomization("edge", kubeConfig={"secretRef": {"name": "edge"}})
    await world.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(edge))
    await world.applied(await world.push({"edge/a.yaml": config_map("far", namespace="red")}), "edge")
    assert "far" in await names(world, RED)


async def an_account_needs_the_right_to_be_it(world):
    """Of both, the kubeconfig's user acts as the account, if that cluster lets it."""
    await world.cluster.merge(EDGE, {"spec": {"serviceAccountName": "deployer"}})
    refused = await world.cluster.until(EDGE, lambda found: condition(found, "Ready")["status"] == "False")
    message = condition(refused, "Ready")["message"]
    assert f'User "system:serviceaccount:{SYSTEM}:far" cannot impersonate' in message
    assert "the credential is that of the context tidegate of the Secret" in message


async def what_is_not_done_is_named(world):
    other = kustomization("other", kubeConfig={"configMapRef": {"name": "edge"}})
    await world.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(other))
    stalled = await world.cluster.until(
        f"{KUSTOMIZATIONS}/other", lambda found: condition(found, "Stalled")["status"] == "True"
    )
    assert condition(stalled, "Stalled")["reason"] == "UnsupportedField"
    assert "spec.kubeConfig.configMapRef" in condition(stalled, "Stalled")["message"]


async def without_its_account_it_goes_and_leaves_what_it_applied(world):
    await world.cluster.kubectl("delete", "serviceaccount", "deployer", "-n", SYSTEM)
    await world.cluster.kubectl("delete", "kustomization", "apps", "-n", SYSTEM, "--timeout=30s")
    assert "three" in await names(world, BLUE)
    events = (await world.cluster.get(f"/api/v1/namespaces/{SYSTEM}/events"))["items"]
    (told,) = [one["message"] for one in events if one["reason"] == "AccountGone" and "prune" in one["message"]]
    assert "ConfigMap/blue/three" in told


async def with_its_kubeconfig_it_prunes_at_its_end(world):
    await world.cluster.merge(EDGE, {"spec": {"serviceAccountName": None}})
    await world.cluster.kubectl("delete", "kustomization", "edge", "-n", SYSTEM, "--timeout=30s")
    assert "far" not in await names(world, RED)


async def names(world, path):
    """The ConfigMaps of a namespace, without what Kubernetes puts into each."""
    found = {one["metadata"]["name"] for one in (await world.cluster.get(path))["items"]}
    return found - {"kube-root-ca.crt"}


def account(name, where):
    """A ServiceAccount that may do all with the ConfigMaps of one namespace, as YAML documents."""
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SYSTEM}},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": name, "namespace": where}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": where},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [subject],
        },
    ]
    return [yaml.safe_dump(one) for one in objects]


def a_secret(name, **data):
    """A Secret as YAML."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": SYSTEM}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})
