"""docs/kubernetes.md is true: its commands and objects, in its order, on a real API server."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.integration.cluster_jobs import playing_jobs
from tests.integration.cluster_kubelet import Kubelet
from tests.integration.cluster_players import playing
from tests.integration.cluster_tidegate import ControllerProcess
from tests.integration.registry_world import RegistryWorld
from tests.integration.ssh_remote import Clone, SshRemote

pytestmark = pytest.mark.integration
PAGE = Path(__file__).parents[2] / "docs/kubernetes.md"
SYSTEM = "flux-system"
RUNS = f"/apis/tidegate.dev/v1alpha1/namespaces/{SYSTEM}/workflowruns"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/shop"
APPS = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: ghcr.io/OWNER/shop:1.0.0 # {"$imagepolicy": "flux-system:shop"}
"""
WORKFLOW = """
on: {push: {}, workflow_dispatch: {inputs: {level: {type: string}}}}
jobs: {hello: {runs-on: x, steps: [{run: 'echo hello'}]}}
"""


def blocks(heading):
    """The fenced blocks of a section: their languages and texts."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    return re.findall(r"^```(\w+)\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody who does what the page says, with a host, an owner and a run of their own."""

    def __init__(self, cluster, folder, remote):
        self._cluster = cluster
        self._folder = folder
        self._changes = {
            "ssh-keyscan github.com": f"ssh-keyscan -p {remote.port} 127.0.0.1",
            "ssh://git@github.com/OWNER/REPOSITORY": remote.url("owner/repository"),
            "OWNER/REPOSITORY": "owner/repository",
            "OWNER": "owner",
        }

    def own(self, text):
        for theirs, mine in self._changes.items():
            text = text.replace(theirs, mine)
        return text

    async def follow(self, heading, *, first=0, last=None, **words):
        """Do all of a section, or its blocks from `first` to before `last`; what was printed, by command."""
        said = {}
        for language, text in blocks(heading)[first:last]:
            lines = [text] if language == "yaml" else text.splitlines()
            for line in lines:
                for word, value in words.items():
                    line = re.sub(rf"\b{word}\b", value, line)  # noqa: PLW2901 - the reader's own word for it
                command = line if language == "sh" else f"kubectl apply -f - <<'END'\n{line}END"
                said[line] = await asyncio.to_thread(self._run, self.own(command))
        return said

    def _run(self, command):
        environment = os.environ | {
            "KUBECONFIG": str(self._cluster.kubeconfig), "HOME": str(self._folder), "TOKEN": "secret-token",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder, env=environment, input="y\n", capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def outside(tmp_path):
    """What the page's reader has outside the cluster: a Git host and a registry."""
    remote, registry = SshRemote(tmp_path / "ssh"), RegistryWorld(tmp_path / "registry")
    try:
        remote.start()
        registry.start()
        yield remote, registry
    finally:
        remote.stop()
        registry.stop()


async def test_the_page_from_the_installation_to_the_removal(bare_cluster, tmp_path, outside):
    cluster, (remote, registry) = bare_cluster, outside
    (tmp_path / "reader").mkdir()
    reader = Reader(cluster, tmp_path / "reader", remote)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(playing(cluster))
        kubelet = await stack.enter_async_context(Kubelet.serving(cluster))
        await stack.enter_async_context(playing_jobs(cluster, kubelet, tmp_path / "pods"))
        await reader.follow("Install")
        process = await start_as_installed(cluster, tmp_path, registry)
        stack.callback(process.stop)
        await kubelet.show(SYSTEM, "tidegate", process.log)
        await reader.follow("The key")
        clone = lay_out(tmp_path, remote, registry)
        await reader.follow("The objects")
        await cluster.until(
            DEPLOYMENT,
            lambda found: found["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/owner/shop:1.1.0",
            120,
        )
        seen = await reader.follow("Verify")
        assert "1.1.0" in seen["tidegate status"]
        assert "shop" in seen["kubectl get imagerepository,imagepolicy,imageupdateautomation -n flux-system"]
        await reader.follow("When something is not as it should be")
        await workflows(cluster, reader, clone)
        process.program.terminate()
        for pod in (await cluster.get(f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app%3Dtidegate"))["items"]:
            await cluster.delete(f"/api/v1/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}?gracePeriodSeconds=0")
        await reader.follow("Uninstall")
    assert (await cluster.get(DEPLOYMENT))["metadata"]["name"] == "shop"


async def start_as_installed(cluster, folder, registry):
    """The Deployment's own words, but for what only a Pod has."""
    deployment = await cluster.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/tidegate")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    words = [word for word in container["args"][1:] if not word.startswith(("--data=", "--address="))]
    mirror = f"--registry-mirror=ghcr.io={registry.url}"
    return await ControllerProcess.start(cluster, folder, *words, mirror)


def lay_out(folder, remote, registry):
    key = folder / "reader/flux-key"
    remote.allow(key)
    (remote.folder / "owner").mkdir()
    remote.create("owner/repository")
    clone = Clone(folder / "clone", remote, "owner/repository", key)
    clone.push({"apps/shop.yaml": APPS.replace("OWNER", "owner")})
    for tag in ("1.0.0", "1.1.0"):
        registry.push("owner/shop", tag)
    return clone


async def workflows(cluster, reader, clone):
    """The section in two parts: a run is asked for once it is there."""
    section = "Workflows as Jobs"
    await reader.follow(section, last=2)
    clone.git("pull", "-q", "--rebase", "origin", "main")
    runner = f"/apis/tidegate.dev/v1alpha1/namespaces/{SYSTEM}/runners/shop"
    await cluster.until(runner, lambda found: (found.get("status") or {}).get("refs"), 60)
    clone.push({".github/workflows/ci.yaml": WORKFLOW})
    ended = await cluster.until(
        RUNS, lambda found: [run for run in found["items"] if (run.get("status") or {}).get("conclusion")], 150
    )
    name = ended["items"][0]["metadata"]["name"]
    said = await reader.follow(section, first=2, RUN=name)
    assert "success" in said["tidegate runs"]
    assert "hello" in said[f"tidegate logs {name}"]


def test_the_fields_that_are_said_to_be_missing_are():
    from tidegate.deploy.fields import ELSEWHERE, SUPPORTED

    listed = re.search(r"\*\*Kustomization\*\*: no (.*?)\. A Kustomization", PAGE.read_text(), re.DOTALL)
    assert listed is not None
    named = {name.removeprefix("spec.") for name in re.findall(r"`([\w.]+)`", listed[1])}
    assert named
    assert not named & (SUPPORTED | ELSEWHERE)


def test_every_object_of_the_page_is_yaml():
    kinds = [
        one["kind"]
        for heading in ("The objects", "Workflows as Jobs")
        for language, text in blocks(heading)
        if language == "yaml"
        for one in yaml.safe_load_all(text)
    ]
    assert kinds == [
        "GitRepository", "Kustomization", "ImageRepository", "ImagePolicy", "ImageUpdateAutomation", "Runner",
    ]  # fmt: skip
