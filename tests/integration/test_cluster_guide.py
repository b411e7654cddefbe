"""The CI/CD guide from its first page to its last, in a cluster: a real API server, sshd, registry, kubectl."""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess

import pytest
from tests.integration.cluster_kubelet import Kubelet
from tests.integration.cluster_players import playing
from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.registry_world import RegistryWorld
from tests.integration.ssh_remote import SshRemote

from tidegate.demo.layout import lay_out

pytestmark = pytest.mark.integration
SYSTEM = "flux-system"
IMAGE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"
DEPLOYMENT = "/apis/apps/v1/namespaces/smartbiz/deployments/smartbiz-api"
REPOSITORY = "seadavdic/smartbiz-api"


class Guide:
    """The guide's user: a clone of the repository, kubectl, and a way to push an image."""

    def __init__(self, cluster, folder, remote, registry):
        self.cluster = cluster
        self.folder = folder
        self.remote = remote
        self.registry = registry
        self.clone = folder / "smartbiz"
        self.key = remote.new_key("flux-key", "flux@raspberrypi-cluster")
        self.bare = remote.create("smartbiz")

    def git(self, *arguments):
        environment = os.environ | {
            "GIT_SSH_COMMAND": f"ssh -F none -i {self.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        identity = ["-c", "user.name=Developer", "-c", "user.email=dev@example.com"]
        done = subprocess.run(
            ["git", *identity, "-C", str(self.clone), *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lay_out(self):
        """The example with its source at our remote, as `flux bootstrap` would have written it."""
        lay_out(self.clone, path_filter=True)
        sync = self.clone / "clusters/my-cluster/flux-system/gotk-sync.yaml"
        url = f"  secretRef:\n    name: flux-system\n  url: {self.remote.url('smartbiz')}"
        sync.write_text(re.sub(r"  url: https://github.com/\S+", url, sync.read_text()))
        self.git("init", "-q", "-b", "main")
        self.commit("Add SmartBiz")
        self.git("remote", "add", "origin", self.remote.url("smartbiz"))
        self.git("push", "-q", "origin", "main")

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def make_secret(self):
        """The guide's own command, to the letter but for the host that is scanned."""
        known_hosts = self.remote.known_hosts()
        script = (
            'kubectl create secret generic flux-system --from-file=identity="$KEY" --from-file=identity.pub="$KEY.pub" '
            '--from-literal=known_hosts="$HOSTS" -n flux-system --dry-run=client -o yaml | kubectl apply -f -'
        )
        environment = os.environ | {
            "KUBECONFIG": str(self.cluster.kubeconfig), "KEY": str(self.key), "HOSTS": known_hosts
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def guide(bare_cluster, tmp_path):
    remote, registry = SshRemote(tmp_path / "ssh"), RegistryWorld(tmp_path / "registry")
    try:
        remote.start()
        registry.start()
        yield Guide(bare_cluster, tmp_path, remote, registry)
    finally:
        remote.stop()
        registry.stop()


def image_of(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


async def test_the_guide_from_its_first_page_to_its_last(guide):
    cluster = guide.cluster
    installed = await asyncio.to_thread(tidegate, cluster, "install", "--split", "--image", "ghcr.io/me/tidegate:1")
    assert "deployment.apps/image-automation-controller created" in installed
    again = await asyncio.to_thread(tidegate, cluster, "install", "--split", "--image", "ghcr.io/me/tidegate:1")
    assert "created" not in again
    assert "configured" not in again

    guide.remote.allow(guide.key)
    guide.lay_out()
    assert guide.make_secret() == "secret/flux-system created\n"
    assert guide.make_secret().startswith("secret/flux-system ")  # ssh-keyscan answers in any order

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(playing(cluster))
        kubelet = await stack.enter_async_context(Kubelet.serving(cluster))
        processes = await start_split(guide, stack)
        for name, process in processes.items():
            await kubelet.show(SYSTEM, name, process.log)
        await the_first_deployment(guide)
        await a_new_image(guide)
        await verification(guide)
        await troubleshooting(guide)
        await another_application(guide)
        for name, process in processes.items():
            assert process.peak() < 64, name


async def start_split(guide, stack):
    """One process for each Deployment of `install --split`, with that Deployment's own arguments and account."""
    processes = {}
    for name in (
        "source-controller",
        "kustomize-controller",
        "image-reflector-controller",
        "image-automation-controller",
    ):
        deployment = await guide.cluster.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{name}")
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        kinds = next(argument for argument in container["args"] if argument.startswith("--kinds="))
        mirror = f"--registry-mirror=ghcr.io={guide.registry.url}"
        process = await ControllerProcess.start(guide.cluster, guide.folder, kinds, mirror, account=name, name=name)
        stack.callback(process.stop)
        processes[name] = process
    return processes


async def the_first_deployment(guide):
    """What Git says is in the cluster; the three image objects are as the guide writes them."""
    cluster = guide.cluster
    guide.registry.push(REPOSITORY, "1.0.1329")
    await cluster.kubectl("apply", "-f", str(guide.clone / "clusters/my-cluster/flux-system"))
    await cluster.until(DEPLOYMENT, lambda found: image_of(found).endswith(":1.0.1329"), 90)


async def a_new_image(guide):
    """The guide's "Complete Flow Example", from the pushed image on."""
    cluster = guide.cluster
    before = guide.git("ls-remote", "origin", "refs/heads/main").split()[0]
    guide.registry.push(REPOSITORY, "1.0.1330")
    await cluster.kubectl(
        "annotate", "--overwrite", "imagerepository/smartbiz-api", "-n", SYSTEM, "reconcile.fluxcd.io/requestedAt=now"
    )
    await cluster.until(DEPLOYMENT, lambda found: image_of(found) == "ghcr.io/seadavdic/smartbiz-api:1.0.1330", 60)
    guide.git("pull", "-q", "--rebase", "origin", "main")
    assert guide.git("log", "-1", "--format=%an|%ae|%s").split("|") == [
        "Flux Image Automation",
        "flux@raspberrypi-cluster.local",
        "Update SmartBiz API image to ghcr.io/seadavdic/smartbiz-api:1.0.1330",
    ]
    assert guide.git("diff", "--numstat", before, "HEAD") == "1\t1\tapps/smartbiz-api/deployment.yaml"
    policy = await cluster.get(f"{IMAGE}/imagepolicies/smartbiz-api")
    assert policy["status"]["latestImage"] == "ghcr.io/seadavdic/smartbiz-api:1.0.1330"
    await cluster.kubectl("rollout", "status", "deployment/smartbiz-api", "-n", "smartbiz", "--timeout=30s")


async def verification(guide):
    """The guide's "Verification Commands": its columns, in its order."""
    kubectl = guide.cluster.kubectl
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    repositories = await kubectl("get", "imagerepository", "-n", SYSTEM)
    assert re.fullmatch(rf"NAME +LAST SCAN +TAGS\nsmartbiz-api +{moment} +2\n", repositories)
    policies = await kubectl("get", "imagepolicy", "-n", SYSTEM)
    assert re.fullmatch(r"NAME +LATESTIMAGE\nsmartbiz-api +ghcr\.io/seadavdic/smartbiz-api:1\.0\.1330\n", policies)
    automations = await kubectl("get", "imageupdateautomation", "-n", SYSTEM)
    assert re.fullmatch(rf"NAME +LAST RUN +SUSPENDED\nsmartbiz-api +{moment} +False\n", automations)
    described = await kubectl("describe", "imageupdateautomation", "smartbiz-api", "-n", SYSTEM)
    assert "Update SmartBiz API image to ghcr.io/seadavdic/smartbiz-api:1.0.1330" in described


async def troubleshooting(guide):
    """The guide's "Troubleshooting", and our own CLI on the same cluster."""
    kubectl = guide.cluster.kubectl
    assert "successful scan: found 2 tags" in await kubectl("describe", "imagerepository", "smartbiz-api", "-n", SYSTEM)
    assert "1.0.1330" in await kubectl("describe", "imagepolicy", "smartbiz-api", "-n", SYSTEM)
    assert "pushed commit" in await kubectl("logs", "-n", SYSTEM, "deployment/image-automation-controller")
    assert "smartbiz-api" in await kubectl("get", "deployment", "smartbiz-api", "-n", "smartbiz")
    assert "1.0.1330" in await kubectl("describe", "deployment", "smartbiz-api", "-n", "smartbiz")
    for arguments, word in (
        (("reconcile", "kustomization", "apps", "--with-source"), "Applied revision: main@sha1:"),
        (("get", "imagepolicy"), "ghcr.io/seadavdic/smartbiz-api:1.0.1330"),
        (("describe", "imagerepository", "smartbiz-api"), "successful scan"),
        (("events", "-A"), "pushed commit"),
        (("logs", "deployment/image-automation-controller"), "pushed commit"),
        (("status",), "1.0.1330"),
        (("suspend", "imageupdateautomation", "smartbiz-api"), "suspended"),
    ):
        assert word in await asyncio.to_thread(tidegate, guide.cluster, *arguments), arguments
    await guide.cluster.until(
        f"{IMAGE}/imageupdateautomations/smartbiz-api", lambda found: found["status"].get("suspended") == "True"
    )
    assert "True" in await kubectl("get", "imageupdateautomation", "-n", SYSTEM)
    await asyncio.to_thread(tidegate, guide.cluster, "resume", "imageupdateautomation", "smartbiz-api")


async def another_application(guide):
    """The guide's "Adding CI/CD for New Applications", from its second step on."""
    cluster, folder = guide.cluster, guide.clone / "apps/myapp"
    guide.git("pull", "-q", "--rebase", "origin", "main")
    shutil.copytree(guide.clone / "apps/smartbiz-api", folder, ignore=shutil.ignore_patterns("tests", "*.py"))
    for path in folder.glob("*.yaml"):
        text = path.read_text().replace("smartbiz-api", "myapp").replace("namespace: smartbiz", "namespace: myapp")
        text = text.replace("name: smartbiz\n", "name: myapp\n").replace("seadavdic/", "username/")
        path.write_text(re.sub(r"image: \S+", "image: ghcr.io/username/myapp:1.0.0", text))
    objects = guide.clone / "clusters/my-cluster/flux-system/image-automation.yaml"
    new = objects.read_text().replace("smartbiz-api", "myapp").replace("seadavdic/", "username/")
    (objects.parent / "myapp.yaml").write_text(new)
    apps = (objects.parent / "gotk-sync.yaml").read_text().split("---\n")[1]
    (objects.parent / "myapp-sync.yaml").write_text(
        apps.replace("name: apps", "name: myapp").replace("smartbiz-api", "myapp")
    )
    guide.commit("Add myapp")
    guide.git("push", "-q", "origin", "main")
    guide.registry.push("username/myapp", "1.0.0")
    guide.registry.push("username/myapp", "1.1.0")
    for name in ("myapp.yaml", "myapp-sync.yaml"):
        await cluster.kubectl("apply", "-f", str(objects.parent / name))
    await cluster.kubectl(
        "annotate", "--overwrite", "gitrepository/flux-system", "-n", SYSTEM, "reconcile.fluxcd.io/requestedAt=now"
    )
    path = "/apis/apps/v1/namespaces/myapp/deployments/myapp"
    await cluster.until(path, lambda found: image_of(found) == "ghcr.io/username/myapp:1.1.0", 90)
