"""A Kustomization with everything that it may lay over a folder, by the whole process against the API server."""

import base64

import pytest
import yaml
from tests.integration.cluster_deploys import APPS, SYSTEM, DeployWorld, condition, config_map, namespace

pytestmark = pytest.mark.integration
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: ${replicas:=1}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "shop:1", env: [{name: WHERE, value: "${where}"}]}]}
"""
PATCH = "- {op: add, path: /metadata/annotations, value: {patched: yes!}}"
SPEC = {
    "namePrefix": "my-",
    "commonMetadata": {"labels": {"team": "a"}},
    "images": [{"name": "shop", "newName": "ghcr.io/acme/shop", "newTag": "2"}],
    "patches": [{"patch": PATCH, "target": {"kind": "Deployment"}}],
    "postBuild": {
        "substitute": {"replicas": "3"},
        "substituteFrom": [
            {"kind": "ConfigMap", "name": "settings"},
            {"kind": "Secret", "name": "words"},
            {"kind": "Secret", "name": "none", "optional": True},
        ],
    },
}  # fmt: skip


async def test_a_folder_with_what_is_laid_over_it(bare_cluster, tmp_path):
    cluster = bare_cluster
    async with DeployWorld.opened(cluster, tmp_path) as world:
        settings = config_map("settings", {"where": "nowhere", "replicas": "9"}, SYSTEM)
        words = {"where": base64.b64encode(b"at home").decode()}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "words", "namespace": SYSTEM},
            "data": words,
        }
        await cluster.kubectl("apply", "-f", "-", stdin=settings + "---\n" + yaml.safe_dump(secret))
        await world.start()
        await world.follow(**SPEC)
        await world.applied(await world.push({"apps/web.yaml": DEPLOYMENT, "apps/ns.yaml": namespace("shop")}))
        found = await cluster.get("/apis/apps/v1/namespaces/shop/deployments/my-web")
        assert found["spec"]["replicas"] == 3
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "ghcr.io/acme/shop:2"
        assert container["env"] == [{"name": "WHERE", "value": "at home"}]
        assert found["metadata"]["labels"]["team"] == "a"
        assert found["metadata"]["annotations"]["patched"] == "yes!"
        await cluster.kubectl("delete", "secret", "words", "-n", SYSTEM)
        await world.look("kustomization", "apps", "missing")
        failed = await cluster.until(APPS, lambda one: condition(one, "Ready")["status"] == "False")
        assert "substitute from 'Secret/words' error" in condition(failed, "Ready")["message"]
        assert "at home" not in str(failed["status"])
