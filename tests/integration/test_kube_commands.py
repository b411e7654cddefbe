"""Our own commands against a real cluster: by kubeconfig, as against this machine."""

import json
import os
import subprocess
import sys

import pytest
from tests.contracts.store import config_map
from tests.integration.kube_homes import api_server

pytestmark = pytest.mark.integration


@pytest.fixture
async def tidegate(cluster, tmp_path):
    async with api_server(cluster) as client:
        await client.create("/api/v1/namespaces/web/configmaps", config_map({"a": "1"}))
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

        def run(*arguments, config=cluster.kubeconfig):
            command = [sys.executable, "-m", "tidegate", *arguments, "--kubeconfig", str(config)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

        yield run


def test_get_prints_the_servers_table(tidegate):
    done = tidegate("get", "configmap", "settings", "-n", "web")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:5] == ["NAME", "DATA", "AGE", "settings", "1"]


def test_a_client_certificate_opens_the_cluster_too(tidegate, cluster):
    done = tidegate("get", "configmap", "settings", "-n", "web", "-o", "json", config=cluster.certificate_kubeconfig)
    assert json.loads(done.stdout)["data"] == {"a": "1"}


def test_describe_and_events_work(tidegate):
    done = tidegate("describe", "configmap", "settings", "-n", "web")
    assert "Name: settings" in done.stdout
    assert tidegate("events", "-n", "web").returncode == 0


def test_status_works_where_kinds_are_missing(tidegate):
    assert tidegate("status").returncode == 0


def test_what_the_server_refuses_is_one_line_with_its_words(tidegate):
    done = tidegate("get", "configmap", "nothing", "-n", "web")
    assert done.returncode == 1
    assert done.stderr == 'Error: configmaps "nothing" not found\n'


async def test_what_is_suspended_is_not_waited_for(tidegate, cluster):
    name = cluster.unique("suspended")
    path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/web/kustomizations"
    spec = {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "none"}, "suspend": True}
    metadata = {"name": name, "namespace": "web"}
    obj = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec}
    before = await cluster.create(path, obj)
    done = tidegate("reconcile", "kustomization", name, "-n", "web")
    assert done.returncode == 1
    assert f"Kustomization/web/{name} is suspended" in done.stderr
    assert f"tidegate resume kustomization {name} -n web" in done.stderr
    after = await cluster.get(f"{path}/{name}")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
