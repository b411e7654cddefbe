"""A whole Tidegate in a process that tests kill, a repository whose image only copies, and what must hold in the end.

The workload is this machine's own `sleep` with the libraries that it loads, so that nothing is downloaded.
"""

import asyncio
import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tidegate.base.errors import CommandFailed, NotFound
from tidegate.base.home import Home
from tidegate.base.process import die_with_parent
from tidegate.base.steps import Step
from tidegate.demo.layout import commit_all, git
from tidegate.engine.journey import is_available, not_ready
from tidegate.engine.view import Objects, View
from tidegate.kinds.objects import Object, key_of
from tidegate.kube.access import plain
from tidegate.kube.client import KubeClient
from tidegate.kube.pacing import QUICK
from tidegate.kube.store import KubeStore

SRC = Path(__file__).parents[2] / "src"
OWNER, NAME = "acme", "shop"
IMAGE = "ghcr.io/acme/shop-web"
RETIRED = "retired"
AUTOMATION = "Gate Keeper"
START_TIMEOUT = 30.0
KILL_TIMEOUT = 40.0
END_TIMEOUT = 25.0
ORPHAN_TIMEOUT = 5.0
POLL = 0.02
PR_SET_CHILD_SUBREAPER = 36
PLATFORMS = ("linux/amd64", "linux/arm64")
IMAGE_GROUP, SOURCE_GROUP, DEPLOY_GROUP = (f"{name}.toolkit.fluxcd.io" for name in ("image", "source", "kustomize"))
RECONCILED = (
    (SOURCE_GROUP, "GitRepository", {"flux-system"}),
    (DEPLOY_GROUP, "Kustomization", {"flux-system", "shop"}),
    (IMAGE_GROUP, "ImageRepository", {"web"}),
    (IMAGE_GROUP, "ImagePolicy", {"web"}),
    (IMAGE_GROUP, "ImageUpdateAutomation", {"shop"}),
    ("tidegate.dev", "Runner", {"acme-shop"}),
)
FOLLOWED = (
    *((group, kind) for group, kind, _ in RECONCILED),
    ("tidegate.dev", "WorkflowRun"), ("apps", "Deployment"), ("", "Pod"), ("", "ConfigMap"),
)  # fmt: skip

WORKFLOW = f"""
name: image
on:
  push:
    branches: [main]
    paths: [app/**, .github/workflows/image.yaml]
jobs:
  image:
    runs-on: ubuntu-latest
    permissions: {{contents: read, packages: write}}
    steps:
      - uses: actions/checkout@v4
        with: {{fetch-depth: 0}}
      - id: version
        run: echo "version=1.0.$(git rev-list --count HEAD)" >> "$GITHUB_OUTPUT"
      - uses: docker/login-action@v3
        with: {{registry: ghcr.io, username: me, password: "${{{{ secrets.GITHUB_TOKEN }}}}"}}
      - uses: docker/build-push-action@v6
        with:
          context: app
          platforms: {",".join(PLATFORMS)}
          push: true
          tags: {IMAGE}:${{{{ steps.version.outputs.version }}}}
"""
DOCKERFILE = """
FROM scratch
COPY rootfs/ /
COPY word /word
ENTRYPOINT ["/bin/sleep"]
CMD ["86400"]
"""
CLUSTER = f"""
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: flux-system, namespace: flux-system}}
spec:
  interval: 1m
  ref: {{branch: main}}
  url: https://github.com/{OWNER}/{NAME}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: shop, namespace: flux-system}}
spec:
  interval: 10m
  path: ./deploy
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{name: web, namespace: flux-system}}
spec: {{image: {IMAGE}, interval: 1m}}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{name: web, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: web}}
  policy: {{semver: {{range: ">=1.0.0"}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageUpdateAutomation
metadata: {{name: shop, namespace: flux-system}}
spec:
  interval: 1m
  sourceRef: {{kind: GitRepository, name: flux-system}}
  git:
    checkout: {{ref: {{branch: main}}}}
    commit: {{author: {{name: {AUTOMATION}, email: gate@example.com}}}}
    push: {{branch: main}}
  update: {{path: ./deploy, strategy: Setters}}
"""
NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""
DEPLOYMENT = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: {IMAGE}:1.0.0 # {{"$imagepolicy": "flux-system:web"}}
"""
CONFIG_MAP = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: {RETIRED}, namespace: shop}}
data: {{word: none}}
"""


@dataclass
class Process:
    """A `tidegate up` of a home. With `kill_at` it, or a child of it that gets there, kills it at that step.
    `arguments` are further ones.
    """

    home: Home
    kill_at: Step | None = None
    arguments: tuple[str, ...] = ()
    popen: subprocess.Popen[bytes] = field(init=False)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-P", "-m", "tidegate", "up", "--home", str(self.home.root), "--port", "0"]
        command += ["--stand-in", "ghcr.io", "--stand-in", "github.com", *self.arguments]
        environment = {**os.environ, "PYTHONPATH": f"{SRC}:{os.environ.get('PYTHONPATH', '')}"}
        environment.pop("TIDEGATE_KILL_AT", None)
        environment.pop("TIDEGATE_CACHE", None)
        if self.kill_at is not None:
            # The shell becomes the server, so the number that it writes down is the server's.
            command = ["sh", "-c", 'TIDEGATE_KILL_PID=$$ exec "$@"', "sh", *command]
            environment["TIDEGATE_KILL_AT"] = self.kill_at.value
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True, preexec_fn=die_with_parent,  # noqa: PLW1509 - the process has one thread to speak of
            )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.home.root.with_suffix(".log")

    def check(self) -> None:
        """Fail where the process has ended."""
        if self.popen.poll() is not None:
            words = self.log.read_text("utf-8", "replace")[-4000:]
            raise AssertionError(f"tidegate up ended with {self.popen.returncode}:\n{words}")

    async def url(self) -> str | None:
        """Where it answers, once it does; None where it has ended before."""
        async with asyncio.timeout(START_TIMEOUT):
            while self.popen.poll() is None:
                with contextlib.suppress(NotFound):
                    server = self.home.server()
                    if server.pid == self.popen.pid:
                        return server.url
                await asyncio.sleep(POLL)
        return None

    async def ended(self, timeout: float) -> int:
        """The exit code, once it has ended; TimeoutError."""
        async with asyncio.timeout(timeout):
            while self.popen.poll() is None:  # noqa: ASYNC110 - a Popen has no event
                await asyncio.sleep(POLL)
        return int(self.popen.returncode)

    def kill(self) -> None:
        """kill -9."""
        self.popen.kill()
        self.popen.wait()


class World:
    """A developer's folder and a home below `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.clone = folder / "shop"
        self.home = Home(folder / "home").make()
        self.pushed: list[str] = []
        self._process: Process | None = None
        self._others = children()

    @classmethod
    async def make(cls, folder: Path) -> "World":
        """A world whose developer has made the first commit, and pushed nothing."""
        world = cls(folder)
        write_files(world.clone)
        await git(world.clone, "init", "--quiet", "--initial-branch=main")
        await git(world.clone, "config", "credential.helper", f"store --file={world.home.root}/git-credentials")
        await world._commit("Add the shop")
        return world

    async def copy(self, folder: Path) -> "World":
        """The same world at another place; nothing of it may run."""
        await asyncio.to_thread(subprocess.run, ["cp", "-a", f"{self.folder}/.", str(folder)], check=True)
        world = World(folder)
        world.pushed = list(self.pushed)
        await git(world.clone, "config", "credential.helper", f"store --file={world.home.root}/git-credentials")
        return world

    async def change(self) -> None:
        """A developer's next commit, on top of the automation's: the image's content changes, a manifest goes."""
        await git(self.clone, "pull", "--quiet", "--rebase", str(self.hosted), "main")
        (self.clone / "app/word").write_text("another word\n")
        (self.clone / "deploy/retired.yaml").unlink()
        await self._commit("Say another word, retire a ConfigMap")

    async def _commit(self, message: str) -> None:
        self.pushed.append(await commit_all(self.clone, message))

    @property
    def hosted(self) -> Path:
        """The bare repository in the home."""
        return self.home.repositories / OWNER / f"{NAME}.git"

    def start(self, kill_at: Step | None = None, arguments: tuple[str, ...] = ()) -> Process:
        """Start Tidegate; what ran before must have ended."""
        self._process = Process(self.home, kill_at, arguments)
        return self._process

    def stop(self) -> None:
        """kill -9 what runs, and wait until nothing of it is left."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        wait_for_orphans(self._others)

    async def push(self, url: str) -> None:
        """`git push`, to where Tidegate answers now; CommandFailed where that dies meanwhile."""
        self.home.write_git_credentials(url)
        await git(self.clone, "push", "--quiet", f"{url}/git/{OWNER}/{NAME}.git", "main")

    async def has_push(self) -> bool:
        """Whether the last push has moved the hosted branch."""
        if not self.hosted.exists():
            return False
        try:
            await git(self.hosted, "merge-base", "--is-ancestor", self.pushed[-1], "refs/heads/main")
        except CommandFailed:
            return False
        return True

    async def until_killed(self, process: Process, *, after: float | None = None) -> int:
        """Push, and wait until the process has been killed: at its step, or `after` seconds from its start."""
        pushing = asyncio.create_task(self._try_push(process))
        try:
            if after is not None:
                with contextlib.suppress(TimeoutError):
                    await process.ended(max(0.0, process.started + after - time.monotonic()))
                process.popen.kill()
            return await process.ended(KILL_TIMEOUT)
        finally:
            process.kill()
            await pushing

    async def _try_push(self, process: Process) -> None:
        url = await process.url()
        if url is not None and not await self.has_push():
            with contextlib.suppress(CommandFailed):
                await self.push(url)

    async def finish(self, process: Process) -> None:
        """Push as a person would, if the push died with the server, and wait for the end of the way."""
        url = await process.url()
        assert url is not None, process.check()
        pushing = None if await self.has_push() else asyncio.create_task(self.push(url))
        try:
            async with (
                KubeClient(plain(url, self.home.token()), limits=QUICK) as client,
                View(KubeStore(client), FOLLOWED, process.check) as view,
            ):
                await self._until_arrived(view, url)
        finally:
            if pushing is not None:
                await asyncio.gather(pushing)

    async def _until_arrived(self, view: View, url: str) -> None:
        missing = "nothing was seen"

        def arrived(objects: Objects) -> bool | None:
            nonlocal missing
            missing = self.missing(objects)
            return True if not missing else None

        try:
            await view.until(arrived, timeout=END_TIMEOUT)
        except TimeoutError:
            raise AssertionError(f"after {END_TIMEOUT:g} s it waits on {missing}\n{states(view.objects)}") from None
        await self.check(view.objects, url)

    # What must hold in the end

    @property
    def tag(self) -> str:
        """The version of the last push: the count of its commits, of which every second is the automation's."""
        return f"1.0.{2 * len(self.pushed) - 1}"

    def missing(self, objects: Objects) -> str:
        """What the objects still lack of the end; empty where they are there."""
        argv = ["git", "--git-dir", str(self.hosted), "rev-parse", "refs/heads/main"]
        head = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
        if head in ("", self.pushed[-1]):
            return "the automation's commit"
        assert "failure" not in [(run.get("status") or {}).get("conclusion") for run in objects["WorkflowRun"]]
        if unfinished := [
            run for run in objects["WorkflowRun"] if (run.get("status") or {}).get("status") != "completed"
        ]:
            return f"{key_of(unfinished[0])} to end"
        for _, kind, names in RECONCILED:
            if {key_of(obj).name for obj in objects[kind]} != names:
                return f"{kind}: {names}"
            if trouble := next(filter(None, map(unsettled, objects[kind])), ""):
                return trouble
        return trouble_with_revision(objects, head) or trouble_with_workload(objects, f"{IMAGE}:{self.tag}")

    async def check(self, objects: Objects, url: str) -> None:
        """Nothing is lost, nothing is double."""
        history = (await git(self.hosted, "log", "--format=%H %an", "refs/heads/main")).splitlines()
        commits, authors = zip(*(line.split(" ", 1) for line in reversed(history)), strict=True)
        assert authors == ("Developer", AUTOMATION) * len(self.pushed)
        assert list(commits[::2]) == self.pushed
        manifest = await git(self.hosted, "show", "refs/heads/main:deploy/deployment.yaml")
        assert f"image: {IMAGE}:{self.tag} # " in manifest
        await git(self.hosted, "fsck", "--full", "--strict", "--no-dangling")
        runs = {str(run["spec"]["commit"]): run["status"]["conclusion"] for run in objects["WorkflowRun"]}
        assert len(objects["WorkflowRun"]) == len(self.pushed)
        assert runs == dict.fromkeys(self.pushed, "success")
        assert sorted(run["spec"]["runNumber"] for run in objects["WorkflowRun"]) == [*range(1, len(self.pushed) + 1)]
        assert (RETIRED in {key_of(obj).name for obj in objects["ConfigMap"]}) is (len(self.pushed) == 1)
        await pull(url, self.tag)
        assert [str(path) for path in self.left_behind()] == []
        assert len([*self.home.workloads.glob("pods/*/*")]) == 1
        with contextlib.closing(sqlite3.connect(f"file:{self.home.database}?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def left_behind(self) -> list[Path]:
        """What the home holds only while something is under way."""
        folders = [self.home.runs / "jobs", self.home.registry / "uploads", self.home.cache / "scratch"]
        found = [path for folder in folders if folder.exists() for path in folder.iterdir()]
        return [*found, *self.home.repositories.rglob("*.lock"), *self.home.repositories.rglob("tidegate-new")]


def states(objects: Objects) -> str:
    """What every object says of itself, a line each."""
    return "\n".join(f"{key_of(obj)}: {json.dumps(obj.get('status'))}" for found in objects.values() for obj in found)


def unsettled(obj: Object) -> str:
    """Why an object is not Ready at its present generation; empty where it is."""
    if (obj.get("status") or {}).get("observedGeneration") != obj["metadata"].get("generation"):
        return f"{key_of(obj)} to be looked at again"
    return not_ready(obj)


def trouble_with_revision(objects: Objects, head: str) -> str:
    """Who is not at the branch's head."""
    revision = f"main@sha1:{head}"
    for obj in objects["GitRepository"]:
        if obj["status"]["artifact"]["revision"] != revision:
            return f"{key_of(obj)} to be at {head}"
    for obj in objects["Kustomization"]:
        if obj["status"]["lastAppliedRevision"] != revision:
            return f"{key_of(obj)} to apply {head}"
    for obj in objects["ImageUpdateAutomation"]:
        if obj["status"].get("lastPushCommit") != head:
            return f"{key_of(obj)} to record {head}"
    for obj in objects["Runner"]:
        if obj["status"]["refs"].get("refs/heads/main") != head:
            return f"{key_of(obj)} to look at {head}"
    return ""


def trouble_with_workload(objects: Objects, image: str) -> str:
    """What the Deployment's state lacks of one replica of the image, running."""
    wanted = [obj for obj in objects["Deployment"] if key_of(obj).namespace == "shop"]
    pods = [pod for pod in objects["Pod"] if key_of(pod).namespace == "shop"]
    if len(wanted) != 1 or not is_available(wanted[0]):
        return f"the Deployment: {json.dumps([obj.get('status') for obj in wanted])}"
    images = [pod["spec"]["containers"][0]["image"] for pod in pods]
    return "" if images == [image] else f"one pod of {image}; there are {images}"


async def pull(url: str, tag: str) -> None:
    """Read the whole image from the registry's door, each digest compared."""
    path = f"/v2/{IMAGE.partition('/')[2]}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:

        async def get(what: str, digest: str | None, accept: str = "*/*") -> bytes:
            answer = await client.get(f"{path}/{what}", headers={"Accept": accept})
            assert answer.status_code == 200, (what, answer.status_code)
            assert digest in (None, f"sha256:{hashlib.sha256(answer.content).hexdigest()}")
            return answer.content

        tags = json.loads(await get("tags/list", None))["tags"]
        assert tag in tags
        index: dict[str, Any] = json.loads(await get(f"manifests/{tag}", None))
        assert [f"{one['platform']['os']}/{one['platform']['architecture']}" for one in index["manifests"]] == [
            *PLATFORMS
        ]
        for one in index["manifests"]:
            manifest = json.loads(await get(f"manifests/{one['digest']}", one["digest"], one["mediaType"]))
            for blob in (manifest["config"], *manifest["layers"]):
                await get(f"blobs/{blob['digest']}", blob["digest"])


def write_files(clone: Path) -> None:
    """The repository's files."""
    files = {
        ".github/workflows/image.yaml": WORKFLOW,
        "app/Dockerfile": DOCKERFILE,
        "app/word": "a word\n",
        "clusters/home/shop.yaml": CLUSTER,
        "deploy/namespace.yaml": NAMESPACE,
        "deploy/deployment.yaml": DEPLOYMENT,
        "deploy/retired.yaml": CONFIG_MAP,
    }
    for name, text in files.items():
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    for target, source in program_files("sleep", "/bin/sleep").items():
        path = clone / "app/rootfs" / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)


def program_files(name: str, place: str) -> dict[str, Path]:
    """A program of this machine, and the libraries that it loads: the path in an image, and the file here."""
    program = shutil.which(name)
    assert program is not None, f"{name} is not installed"
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return {place: Path(program)} | {path: Path(path) for path in re.findall(r"/[^\s()]+", listed)}


# What a killed server leaves running becomes a child of this process, so it can be seen


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Inside, this process is the parent of every descendant whose own parent died."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def wait_for_orphans(others: frozenset[int]) -> None:
    """Wait until no child is left besides `others`; fails where one goes on after its server was killed."""
    deadline = time.monotonic() + ORPHAN_TIMEOUT
    while left := children() - others:
        for number in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
        if time.monotonic() > deadline:
            commands = [_command(number) for number in left]
            for number in left:
                os.kill(number, signal.SIGKILL)
            raise AssertionError(f"{ORPHAN_TIMEOUT:g} s after the server's death there still run: {commands}")
        time.sleep(POLL)


def children() -> frozenset[int]:
    """The children of this process, those included that have ended and were not waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return frozenset(found)


def _command(number: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return str(number)
