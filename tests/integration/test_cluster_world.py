"""The clusters that other tests stand on do what those tests rely on."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.cluster_players import end_job, playing
from tests.integration.cluster_world import TOOL

from tidegate.engine.journey import is_available

pytestmark = pytest.mark.integration
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: web, image: "ghcr.io/acme/shop:1.0.0"}]}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: run-1}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, containers: [{name: job, image: "ghcr.io/acme/job:1"}]}}
"""


async def test_rbac_asks_who_one_is(cluster):
    namespace = await cluster.namespace("rbac")
    await cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    token = await cluster.account_token(namespace, "reader")
    async with cluster.http(token) as http:
        assert (await http.get(path)).status_code == 403
        role = ["--role=read", "--serviceaccount", f"{namespace}:reader"]
        await cluster.kubectl("create", "role", "read", "--verb=list", "--resource=configmaps", "-n", namespace)
        await cluster.kubectl("create", "rolebinding", "read", *role, "-n", namespace)
        for _ in range(100):
            if (await http.get(path)).status_code == 200:
                break
            await asyncio.sleep(0.05)
        assert (await http.get(path)).status_code == 200
        assert (await http.get(f"/api/v1/namespaces/{namespace}/secrets")).status_code == 403


async def test_a_client_certificate_is_as_good_as_the_token(cluster):
    text = await cluster.kubectl("auth", "whoami", "-o", "yaml", config=cluster.certificate_kubeconfig)
    assert "username: admin" in text
    assert "system:masters" in text


async def test_a_killed_server_comes_back_with_its_objects(fresh_cluster):
    path = "/api/v1/namespaces/default/configmaps"
    await fresh_cluster.create(path, {"metadata": {"name": "kept"}, "data": {"a": "b"}})
    url = fresh_cluster.url
    for program in (fresh_cluster.server, fresh_cluster.etcd):
        before = program.pid
        program.kill()
        assert not program.running
        await fresh_cluster.start()
        assert program.pid != before
        assert (await fresh_cluster.get(f"{path}/kept"))["data"] == {"a": "b"}
    fresh_cluster.server.terminate()
    await fresh_cluster.start()
    assert fresh_cluster.url == url
    assert (await fresh_cluster.get(f"{path}/kept"))["data"] == {"a": "b"}


async def test_a_deployment_is_played_to_its_end(cluster):
    namespace = await cluster.namespace("played")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/shop"
    async with playing(cluster) as player:
        await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)
        await cluster.until(path, is_available)
        assert await images(cluster, namespace) == ["ghcr.io/acme/shop:1.0.0"] * 2
        await cluster.kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=30s")
        await cluster.kubectl("set", "image", "deployment/shop", "web=ghcr.io/acme/shop:1.1.0", "-n", namespace)
        await cluster.kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=30s")
        assert await images(cluster, namespace) == ["ghcr.io/acme/shop:1.1.0"] * 2
        player.broken.add(":2.0.0")
        await cluster.kubectl("set", "image", "deployment/shop", "web=ghcr.io/acme/shop:2.0.0", "-n", namespace)
        done = await cluster.kubectl("rollout", "status", "deployment/shop", "-n", namespace, check=False)
        assert "exceeded its progress deadline" in done.stderr.decode()
        await cluster.kubectl("delete", "deployment", "shop", "-n", namespace)
        await cluster.until(f"/api/v1/namespaces/{namespace}/pods", lambda found: not found["items"])


@pytest.mark.parametrize("succeeded", [True, False])
async def test_a_job_is_played_to_its_end(cluster, succeeded):
    namespace = await cluster.namespace("job")
    await cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=JOB)
    await end_job(cluster, namespace, "run-1", succeeded=succeeded)
    condition = "complete" if succeeded else "failed"
    await cluster.kubectl("wait", f"--for=condition={condition}", "job/run-1", "-n", namespace, "--timeout=30s")


def test_a_machine_without_the_server_is_told_how_to_bring_it(tmp_path):
    def said(*arguments, **variables):
        environment = {"PATH": "/nowhere", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)} | variables
        return subprocess.run(
            [sys.executable, TOOL, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    found = said("--find")
    assert found.returncode == 1
    assert found.stderr.startswith("kube-apiserver is not built: install Go")
    assert "KUBEBUILDER_ASSETS" in found.stderr
    optional = said("--optional")
    assert (optional.returncode, optional.stdout) == (0, "")
    assert optional.stderr.count("\n") == 1
    assert "make apiserver" in optional.stderr
    assert "there is no program kube-apiserver" in said("--find", KUBEBUILDER_ASSETS=str(tmp_path)).stderr
    program = tmp_path / "kube-apiserver"
    program.touch(mode=0o755)
    assert Path(said("--find", KUBEBUILDER_ASSETS=str(tmp_path)).stdout.strip()) == program
    assert os.access(program, os.X_OK)


async def images(cluster, namespace):
    pods = await cluster.get(f"/api/v1/namespaces/{namespace}/pods")
    return [pod["spec"]["containers"][0]["image"] for pod in pods["items"]]
