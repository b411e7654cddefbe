"""Git over ssh, a Kustomization of it, and the controllers as a process with their installed account."""

import asyncio
import contextlib

import yaml
from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.ssh_remote import Clone, SshRemote

SYSTEM = "flux-system"
SOURCE = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/gitrepositories/fleet"
KUSTOMIZATIONS = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/kustomizations"
APPS = f"{KUSTOMIZATIONS}/apps"
KINDS = "--kinds=source,kustomize"


class DeployWorld:
    """`clone` is pushed to; `controller` is the process."""

    def __init__(self, cluster, folder, remote, clone):
        self.cluster = cluster
        self.folder = folder
        self.remote = remote
        self.clone = clone
        self.controller = None

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, cluster, folder, install=KINDS):
        """Installed, with an empty repository at the remote and its Secret; no controller runs yet."""
        await asyncio.to_thread(tidegate, cluster, "install", install, "--image=ghcr.io/me/tidegate:1")
        remote = SshRemote(folder / "ssh")
        remote.start()
        try:
            key = remote.new_key("flux-key")
            remote.allow(key)
            remote.create("fleet")
            world = cls(cluster, folder, remote, Clone(folder / "clone", remote, "fleet", key))
            world.clone.push({"README.md": "The fleet.\n"})
            hosts = f"--from-literal=known_hosts={remote.known_hosts()}"
            identity = f"--from-file=identity={key}"
            await cluster.kubectl("create", "secret", "generic", "fleet", "-n", SYSTEM, identity, hosts)
            try:
                yield world
            finally:
                if world.controller is not None:
                    world.controller.stop()
        finally:
            remote.stop()

    async def start(self, *arguments, name="controller", kinds=KINDS, url=""):
        """Start a controller; `controller` is the last one."""
        process = await ControllerProcess.start(self.cluster, self.folder, kinds, *arguments, name=name, url=url)
        self.controller = process
        return process

    async def follow(self, **spec):
        """Make the GitRepository and the Kustomization `apps`, with more fields of its spec."""
        await self.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([self.source(), kustomization(**spec)]))

    def source(self):
        reference = {"ref": {"branch": "main"}, "secretRef": {"name": "fleet"}}
        return {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "fleet", "namespace": SYSTEM},
            "spec": {"interval": "10m", "url": self.remote.url("fleet"), **reference},
        }

    async def push(self, files):
        """Push files and have the source look; the revision."""
        commit = self.clone.push(files)
        await self.look("gitrepository", "fleet", commit)
        return f"main@sha1:{commit}"

    async def look(self, kind, name, moment):
        """Ask for a look at an object."""
        words = ("annotate", "--overwrite", f"{kind}/{name}", "-n", SYSTEM, f"reconcile.fluxcd.io/requestedAt={moment}")
        await self.cluster.kubectl(*words)

    async def applied(self, revision, name="apps", seconds=60):
        """Wait until a Kustomization is ready at a revision; it."""
        return await self.cluster.until(
            f"{KUSTOMIZATIONS}/{name}",
            lambda found: (
                (found.get("status") or {}).get("lastAppliedRevision") == revision
                and condition(found, "Ready")["status"] == "True"
            ),
            seconds,
        )


def kustomization(name="apps", **spec):
    """A Kustomization of the folder `./<name>`."""
    whole = {
        "interval": "10m",
        "path": f"./{name}",
        "prune": True,
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
    }
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": whole | spec,
    }


def condition(obj, kind):
    """A condition, or an empty one."""
    found = (obj.get("status") or {}).get("conditions") or []
    return next((one for one in found if one["type"] == kind), {"status": "", "reason": "", "message": ""})


def config_map(name, data=None, namespace="shop"):
    """A ConfigMap as YAML."""
    metadata = {"name": name, "namespace": namespace}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"a": "1"}})


def namespace(name):
    """A Namespace as YAML."""
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
