"""A whole Tidegate in a process of its own, looked at only through its doors, and the developer who pushes to it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from crash_world import FOLLOWED, NAME, OWNER, SRC, Process, World, states

from tidegate.base.process import minimal_environment, run
from tidegate.demo.layout import commit_all, git
from tidegate.engine.view import View
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, key_of
from tidegate.kinds.resources import known
from tidegate.kube.access import plain
from tidegate.kube.client import KubeClient
from tidegate.kube.collection import Collection
from tidegate.kube.pacing import QUICK
from tidegate.kube.store import KubeStore

PATIENCE = 60.0
PUSH_TIMEOUT = 150.0
"""Seconds: longer than the server itself keeps a pusher waiting, so that its last words are seen."""
STOP_TIMEOUT = 30.0
OWN = ("Deployment/flux-system/", "Pod/flux-system/")
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
GROUPS = {kind: group for group, kind, *_ in FOLLOWED}


class Doors:
    """A running Tidegate from outside."""

    def __init__(self, world: World, process: Process, url: str, client: KubeClient, view: View):
        self.world = world
        self.process = process
        self.url = url
        self.client = client
        self.view = view

    # The developer

    async def commit(self, message: str, files: Mapping[str, str | None]) -> str:
        """Commit some files on top of what the automation committed; None deletes one."""
        await self.pull()
        for name, text in files.items():
            path = self.world.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        return await commit_all(self.world.clone, message)

    async def pull(self) -> None:
        """`git pull --rebase`, where something was pushed before."""
        if self.world.hosted.exists():
            url = f"{self.url}/git/{OWNER}/{NAME}.git"
            await git(self.world.clone, "pull", "--quiet", "--rebase", url, "main")

    def read(self, name: str) -> str | None:
        """A file of the developer's folder; None where there is none."""
        path = self.world.clone / name
        return path.read_text() if path.exists() else None

    async def push(self, *, code: int = 0, url: str | None = None) -> str:
        """`git push`, with the home's credential unless another URL is given; everything that is said."""
        self.world.home.write_git_credentials(self.url)
        target = url or f"{self.url}/git/{OWNER}/{NAME}.git"
        env = minimal_environment({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"})
        argv = ["git", "-C", str(self.world.clone), "push", target, "main"]
        done = await run(argv, env=env, timeout=PUSH_TIMEOUT, check=False)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.exit_code == code, said
        return "\n".join(line.rstrip() for line in said.splitlines())

    async def tidegate(self, *arguments: str) -> str:
        """One of our own commands; what it prints."""
        env = minimal_environment({"PYTHONPATH": str(SRC), "TIDEGATE_HOME": str(self.world.home.root)})
        return (await run([sys.executable, "-m", "tidegate", *arguments], env=env, timeout=PATIENCE)).text

    async def head(self) -> str:
        """The hosted branch's commit, by `git ls-remote` without a credential."""
        listed = await git(self.world.folder, "ls-remote", f"{self.url}/git/{OWNER}/{NAME}.git", "refs/heads/main")
        return listed.split()[0]

    # Objects

    async def until(self, what: str, seen: Callable[[Mapping[str, list[Object]]], object]) -> None:
        """Wait until the objects are so."""
        try:
            await self.view.until(lambda objects: seen(objects) or None, timeout=PATIENCE)
        except TimeoutError:
            told = "\n".join(line for line in states(self.view.objects).splitlines() if not line.startswith(OWN))
            raise AssertionError(f"after {PATIENCE:g} s, not yet {what}\n{told}") from None

    def object(self, kind: str, name: str) -> Object | None:
        """An object as it was last seen."""
        return next((found for found in self.view.objects[kind] if key_of(found).name == name), None)

    async def condition(self, kind: str, name: str, status: str, *says: str) -> str:
        """Wait until an object's Ready condition has this status and says all of this; its message."""

        def message(objects: Mapping[str, list[Object]]) -> str:
            for obj in objects[kind]:
                ready = find((obj.get("status") or {}).get("conditions") or [], "Ready") or {}
                if key_of(obj).name == name and ready.get("status") == status:
                    return str(ready.get("message"))
            return ""

        await self.until(
            f"{kind} {name}: Ready={status}, saying {says}",
            lambda objects: bool(found := message(objects)) and all(word in found for word in says),
        )
        return message(self.view.objects)

    async def reconcile(self, kind: str, name: str) -> Object:
        """Ask for a reconciliation by the annotation, and wait until it is done; the object after it."""
        token = datetime.now(UTC).isoformat()
        await self.client.merge(path_of(kind, name), {"metadata": {"annotations": {REQUESTED_AT: token}}})

        def handled(objects: Mapping[str, list[Object]]) -> bool:
            found = [obj for obj in objects[kind] if key_of(obj).name == name]
            return bool(found) and (found[0].get("status") or {}).get("lastHandledReconcileAt") == token

        await self.until(f"{kind} {name} reconciled", handled)
        found = self.object(kind, name)
        assert found is not None
        return found

    async def settled(self, head: str | None = None) -> None:
        """Wait until everything has come to the branch's head."""
        revision = f"main@sha1:{head or await self.head()}"
        await self.until(
            f"applied {revision}",
            lambda objects: all(
                (obj.get("status") or {}).get("lastAppliedRevision") == revision for obj in objects["Kustomization"]
            ),
        )

    def running_images(self) -> set[str]:
        """The images of the application's pods."""
        pods = [pod for pod in self.view.objects["Pod"] if key_of(pod).namespace == "shop"]
        return {str(pod["spec"]["containers"][0]["image"]) for pod in pods}

    def selected_image(self) -> str:
        """What the policy has selected."""
        status = (self.object("ImagePolicy", "web") or {}).get("status") or {}
        return str(status.get("latestImage", ""))

    async def runs_what_is_selected(self) -> str:
        """Wait until the application's only pod runs what the policy has selected; that image."""
        await self.until("running what is selected", lambda _: self.running_images() == {self.selected_image()})
        return self.selected_image()

    async def answers(self, url: Callable[[], str | None], word: str) -> None:
        """Wait until a workload answers with a word."""

        def got() -> str:
            try:
                with urllib.request.urlopen(url() or "http://127.0.0.1:1", timeout=5) as answer:
                    return str(answer.read().decode())
            except OSError as error:
                return str(error)

        deadline = time.monotonic() + PATIENCE
        while (said := await asyncio.to_thread(got)) != word:
            assert time.monotonic() < deadline, f"{url()} answers {said!r}, not {word!r}\n{states(self.view.objects)}"
            await asyncio.sleep(0.1)

    # Plain requests

    async def fetch(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """A request without a credential, unless `headers` have one."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=names)

        def answered() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    return answer.status, answer.read().decode("utf-8", "replace")
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode("utf-8", "replace")

        return await asyncio.to_thread(answered)

    @property
    def credential(self) -> dict[str, str]:
        """The header that opens every door."""
        return {"Authorization": f"Bearer {self.world.home.token()}"}

    async def page(self, path: str = "/") -> str:
        """What a browser sees."""
        status, text = await self.fetch(path)
        assert status == 200, text
        return text


def path_of(kind: str, name: str, namespace: str = "flux-system") -> str:
    """An object's path in the Kubernetes API."""
    resource = known(GROUPS[kind], kind)
    assert resource is not None
    return Collection(resource.group, resource.versions[0], resource.plural).path(namespace, name)


@contextlib.asynccontextmanager
async def opened(world: World, *arguments: str, kinds: Sequence[tuple[str, str]] = ()) -> AsyncIterator[Doors]:
    """Start a Tidegate, and follow `kinds` beside the usual ones; at the end it must stop by itself when asked to."""
    process = world.start(arguments=arguments)
    try:
        url = await process.url()
        assert url is not None, process.check()
        async with (
            KubeClient(plain(url, world.home.token()), limits=QUICK) as client,
            View(KubeStore(client), (*FOLLOWED, *kinds), process.check) as view,
        ):
            yield Doors(world, process, url, client, view)
        process.popen.send_signal(signal.SIGTERM)
        assert await process.ended(STOP_TIMEOUT) == 0, process.log.read_text()[-4000:]
    finally:
        process.kill()


def say(obj: object) -> str:
    """An object as text, for asserts about what it says anywhere."""
    return json.dumps(obj)


def unprivileged() -> bool:
    """Whether this test may not mount file systems."""
    return os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0


def below(folder: Path) -> list[Path]:
    """All plain files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
