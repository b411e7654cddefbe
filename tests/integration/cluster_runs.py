"""A Runner in a cluster: its repository over ssh, the controllers as a process, its Jobs played."""

import asyncio
import contextlib

from tests.integration.cluster_jobs import playing_jobs
from tests.integration.cluster_kubelet import Kubelet
from tests.integration.cluster_tidegate import ControllerProcess, tidegate
from tests.integration.ssh_remote import Clone, SshRemote

SYSTEM = "flux-system"
RUNS = f"/apis/tidegate.dev/v1alpha1/namespaces/{SYSTEM}/workflowruns"
JOBS = f"/apis/batch/v1/namespaces/{SYSTEM}/jobs"
SECRETS = f"/api/v1/namespaces/{SYSTEM}/secrets"
SOURCE = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{SYSTEM}/gitrepositories/shop"
WORKFLOW = ".github/workflows/ci.yaml"
IMAGE = "ghcr.io/me/tidegate:1"
PASSWORD = "correct-horse-battery-staple"


class RunWorld:
    """`player` plays the Jobs, `controller` is the process, `key` opens `remote`."""

    def __init__(self, cluster, folder, clone, player):
        self.cluster = cluster
        self.folder = folder
        self.clone = clone
        self.player = player

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, cluster, folder):
        """Installed, with a repository and its Runner, and a controller that leads."""
        await asyncio.to_thread(tidegate, cluster, "install", "--kinds=source,runner", f"--image={IMAGE}")
        remote = SshRemote(folder / "ssh")
        remote.start()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(remote.stop)
            key = remote.new_key("flux-key")
            remote.allow(key)
            (folder / "ssh/acme").mkdir()
            remote.create("acme/shop")
            clone = Clone(folder / "clone", remote, "acme/shop", key)
            clone.push({"README.md": "A shop.\n"})
            kubelet = await stack.enter_async_context(Kubelet.serving(cluster))
            player = await stack.enter_async_context(playing_jobs(cluster, kubelet, folder / "pods"))
            world = cls(cluster, folder, clone, player)
            world.remote, world.key = remote, key
            await world._make_objects(remote, key)
            world.controller = await world.start()
            stack.callback(world.controller.stop)
            await cluster.until(
                f"/apis/tidegate.dev/v1alpha1/namespaces/{SYSTEM}/runners/shop",
                lambda found: "refs/heads/main" in ((found.get("status") or {}).get("refs") or {}),
                60,
            )
            yield world

    async def start(self, name="controller"):
        return await ControllerProcess.start(
            self.cluster, self.folder, "--kinds=source,runner", f"--job-image={IMAGE}", name=name
        )

    async def _make_objects(self, remote, key):
        kubectl = self.cluster.kubectl
        hosts = f"--from-literal=known_hosts={remote.known_hosts()}"
        await kubectl("create", "secret", "generic", "shop", "-n", SYSTEM, f"--from-file=identity={key}", hosts)
        token = f"--from-literal=GITHUB_TOKEN={PASSWORD}"
        await kubectl("create", "secret", "generic", "shop-ci", "-n", SYSTEM, token)
        manifest = f"""
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: shop, namespace: {SYSTEM}}}
spec: {{interval: 1m, url: {remote.url("acme/shop")}, ref: {{branch: main}}, secretRef: {{name: shop}}}}
---
apiVersion: tidegate.dev/v1alpha1
kind: Runner
metadata: {{name: shop, namespace: {SYSTEM}}}
spec: {{repository: acme/shop, sourceRef: {{name: shop}}, secretRef: {{name: shop-ci}}, maxJobs: 2}}
"""
        await kubectl("apply", "-f", "-", stdin=manifest)

    async def push(self, workflow, **files):
        """Push a workflow; the name of the run that it starts."""
        commit = self.clone.push({WORKFLOW: workflow, **files})
        annotations = {"reconcile.fluxcd.io/requestedAt": commit}
        await self.cluster.merge(SOURCE, {"metadata": {"annotations": annotations}})
        return (await self.until_run(lambda run: run["spec"].get("commit") == commit))["metadata"]["name"]

    async def until_run(self, holds, seconds=60):
        found = await self.cluster.until(RUNS, lambda listing: any(holds(run) for run in listing["items"]), seconds)
        return next(run for run in found["items"] if holds(run))

    async def jobs_of(self, run):
        return [job for job in await self.jobs() if job["metadata"]["annotations"]["tidegate.dev/run"] == run]

    async def ended(self, run, seconds=90):
        """The run once it is over; its status."""
        found = await self.cluster.until(
            f"{RUNS}/{run}", lambda found: (found.get("status") or {}).get("status") == "completed", seconds
        )
        return found["status"]

    async def until_step(self, run, step, seconds=60):
        """Wait until a step of that name is under way."""
        await self.cluster.until(
            f"{RUNS}/{run}",
            lambda found: any(
                one["name"] == step and one["status"] == "in_progress"
                for job in (found.get("status") or {}).get("jobs", [])
                for one in job.get("steps", [])
            ),
            seconds,
        )

    async def log(self, run):
        return await asyncio.to_thread(tidegate, self.cluster, "logs", run)

    async def jobs(self):
        return (await self.cluster.get(JOBS))["items"]

    async def job_secrets(self):
        """The names of all Secrets of Jobs."""
        found = (await self.cluster.get(SECRETS))["items"]
        return [one["metadata"]["name"] for one in found if "job.json" in (one.get("data") or {})]

    async def everything_said(self):
        """All that is shown to people: Jobs, Pods, events, runs, logs of the Pods and of the controller."""
        pieces = [await self.cluster.kubectl("get", "jobs,pods,events,workflowruns,runners", "-A", "-o", "json")]
        pieces += [path.read_text(errors="replace") for path in (self.folder / "pods").glob("*.log")]
        pieces += [path.read_text(errors="replace") for path in self.folder.glob("controller*.log")]
        return "\n".join(pieces)
