"""In a cluster, by the whole process with the rights of its installation: an update that crashes is taken back, with
the last lines of its log from the API. Who selects is played, as another program than ours may do that.
"""

import json

import pytest
import yaml
from tests.integration.cluster_deploys import SYSTEM, DeployWorld, condition, namespace
from tests.integration.cluster_kubelet import Kubelet
from tests.integration.cluster_players import playing

from tidegate.kinds.rolled_back import ROLLED_BACK

pytestmark = pytest.mark.integration
KINDS = "--kinds=source,kustomize,ImageUpdateAutomation"
IMAGES = f"/apis/image.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}"
POLICY, AUTOMATION = f"{IMAGES}/imagepolicies/web", f"{IMAGES}/imageupdateautomations/auto"
FILE = "apps/deployment.yaml"
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.test/web:1.0.0 # {"$imagepolicy": "flux-system:web"}
          env: [{name: DB, valueFrom: {secretKeyRef: {name: db, key: password}}}]
"""
OBJECTS = f"""
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: web, namespace: {SYSTEM}}}
spec: {{imageRepositoryRef: {{name: web}}, policy: {{semver: {{range: ">=1.0.0"}}}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: auto, namespace: {SYSTEM}, annotations: {{tidegate.dev/rollback-after: 10s}}}}
spec:
  interval: 10m
  sourceRef: {{kind: GitRepository, name: fleet}}
  git:
    commit: {{author: {{name: Gate, email: gate@example.com}}}}
  update: {{path: ./apps, strategy: Setters}}
"""


async def select(cluster, tag):
    """What Flux's image-reflector-controller writes."""
    status = {"latestRef": {"name": "registry.test/web", "tag": tag}}
    await cluster.merge(f"{POLICY}/status?fieldManager=image-reflector-controller", {"status": status})


async def crash(cluster, kubelet, folder):
    """Play the kubelet of the new revision's Pod: it crashes again and again, and has said why."""
    pods = "/api/v1/namespaces/shop/pods"

    def new(listing):
        return [one for one in listing["items"] if one["spec"]["containers"][0]["image"].endswith(":1.0.1")]

    (pod,) = new(await cluster.until(pods, new))
    name = pod["metadata"]["name"]
    log = folder / "web.log"
    log.write_text("connecting as correct-horse-battery\nno such table: people\n")
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
    await cluster.create(f"{pods}/{name}/binding", binding)
    kubelet.serve("shop", name, "web", log)
    ended = {
        "exitCode": 3,
        "reason": "Error",
        "startedAt": "2026-01-15T12:00:00Z",
        "finishedAt": "2026-01-15T12:00:00Z",
    }
    status = {
        "name": "web",
        "image": "registry.test/web:1.0.1",
        "imageID": "",
        "ready": False,
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
        "lastState": {"terminated": ended},
    }
    await cluster.merge(f"{pods}/{name}/status", {"status": {"phase": "Running", "containerStatuses": [status]}})


async def test_a_crash_is_taken_back_with_its_log_and_the_policy_marked(fresh_cluster, tmp_path):
    cluster = fresh_cluster
    async with (
        DeployWorld.opened(cluster, tmp_path, KINDS) as world,
        playing(cluster) as player,
        Kubelet.serving(cluster) as kubelet,
    ):
        player.broken.add(":1.0.1")
        await world.start(kinds=KINDS)
        await cluster.create("/api/v1/namespaces", yaml.safe_load(namespace("shop")))
        password = "--from-literal=password=correct-horse-battery"
        await cluster.kubectl("create", "secret", "generic", "db", "-n", "shop", password)
        await world.follow()
        await cluster.kubectl("apply", "-f", "-", stdin=OBJECTS)
        await world.applied(await world.push({FILE: WORKLOAD}))
        await select(cluster, "1.0.1")
        await crash(cluster, kubelet, tmp_path)
        marked = await cluster.until(POLICY, lambda found: ROLLED_BACK in found["metadata"].get("annotations", {}))
        back = json.loads(marked["metadata"]["annotations"][ROLLED_BACK])
        assert (back["from"], back["to"]) == ("registry.test/web:1.0.1", "registry.test/web:1.0.0")
        shown = await cluster.until(AUTOMATION, lambda found: condition(found, "RolledBack")["status"] == "True")
        commit = shown["status"]["lastPushCommit"]
        await world.applied(f"main@sha1:{commit}")
        world.clone.git("pull", "-q", "--rebase", "origin", "main")
        assert world.clone.git("rev-parse", "HEAD").strip() == commit
        told = world.clone.git("log", "-1", "--format=%B")
        assert told.startswith("Roll back registry.test/web to 1.0.0\n\nDeployment/shop/web was not ready: ")
        assert "CrashLoopBackOff: back-off 20s; it ended with 3\n" in told
        assert "the last lines of its container web:\n  connecting as ***\n  no such table: people\n" in told
        assert (world.clone.folder / FILE).read_text() == WORKLOAD
        live = await cluster.get("/apis/apps/v1/namespaces/shop/deployments/web")
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/web:1.0.0"
        # Who selects knows nothing of the mark, and goes on naming the tag: it is not written again.
        await cluster.merge(AUTOMATION, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "again"}}})
        done = await cluster.until(AUTOMATION, lambda found: found["status"].get("lastHandledReconcileAt") == "again")
        assert done["status"]["lastPushCommit"] == commit
        # A person's commit stands between, so nobody asks the registry for an echo.
        await world.push({"README.md": "Mended.\n"})
        await select(cluster, "1.0.2")
        newer = await cluster.until(AUTOMATION, lambda found: found["status"]["lastPushCommit"] != commit)
        await world.applied(f"main@sha1:{newer['status']['lastPushCommit']}")
        await cluster.until(POLICY, lambda found: ROLLED_BACK not in found["metadata"].get("annotations", {}))
