"""One cycle of the demonstration: a push, and what each station made of it, with the time it took."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tidegate.base.errors import TidegateError
from tidegate.base.process import die_with_parent, kill_group
from tidegate.demo import layout
from tidegate.engine.journey import deployment_of, is_available, service_url
from tidegate.engine.view import Objects, View
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, key_of

STATION_TIMEOUT = 120.0
RUN_TIMEOUT = 1200.0
ANSWER_POLL = 0.03
REQUEST_TIMEOUT = 5.0
LAST_LINES = 15
LOG_LINES = 500


class DemoFailedError(TidegateError):
    """A station did not do its part: `message` is the cause, `lines` what it said last."""

    code = "DemoFailed"

    def __init__(self, station: str, message: str, *, lines: Sequence[str] = (), remedy: str | None = None):
        super().__init__(message, remedy=remedy)
        self.station = station
        self.lines = tuple(lines)


@dataclass
class Cycle:
    """What a cycle came to; the fields are those of the report."""

    commit: str
    version: str = ""
    image: str = ""
    digest: str = ""
    platforms: list[str] = field(default_factory=list)
    automation_commit: str = ""
    applied_revision: str = ""
    served_version: str = ""
    served_word: str = ""
    stations: list[dict[str, Any]] = field(default_factory=list)
    total_seconds: float = 0.0


class Driver:
    """Pushes, and waits for each station in turn. `say` gets the lines for people. Where not `exact`, a later version
    than the pushed one will do: in a loop nobody can say which one is seen.
    """

    def __init__(self, folder: Path, url: str, view: View, say: Callable[[str], None], *, exact: bool = True):
        self._folder = folder
        self._exact = exact
        self._url = url
        self._view = view
        self._say = say

    async def cycle(self, commit: str, word: str) -> Cycle:
        """Push `commit` and follow it until the service answers with `word`."""
        done = Cycle(commit=commit)
        done.version = f"1.0.{await layout.git(self._folder, 'rev-list', '--count', 'HEAD')}"
        done.image = f"{layout.IMAGE}:{done.version}"
        started = mark = time.monotonic()
        push = asyncio.create_task(self._push())
        try:
            for station, wait in (
                ("push", self._received),
                ("run", self._built),
                ("scan", self._scanned),
                ("select", self._selected),
                ("update", self._updated),
                ("deploy", self._deployed),
                ("answer", self._answered),
            ):
                await self._station(station, wait, done, word, push)
                now = time.monotonic()
                done.stations.append({"name": station, "seconds": round(now - mark, 3)})
                mark = now
            done.total_seconds = round(mark - started, 3)
        finally:
            await _ended(push)
        return done

    async def _station(
        self,
        name: str,
        wait: Callable[[Cycle, str], Any],
        done: Cycle,
        word: str,
        push: asyncio.Task[None],
    ) -> None:
        waiting = asyncio.ensure_future(wait(done, word))
        try:
            pending: set[asyncio.Future[Any]] = {waiting} if push.done() else {waiting, push}
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if push.done() and push.exception() is not None:
                raise DemoFailedError("push", str(push.exception()))
            await waiting
        except TimeoutError:
            remedy = "start it again as said below, then: tidegate status, and tidegate events -A"
            raise DemoFailedError(name, "it took too long", lines=self._words(), remedy=remedy) from None
        finally:
            waiting.cancel()

    async def _push(self) -> None:
        """`git push`, its `remote:` lines shown as they come."""
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(self._folder), "push", "--no-progress", "--set-upstream", "origin", "main",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=layout.git_environment(), start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        try:
            async for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                lines.append(line)
                self._say(f"  {line}")
            code = await process.wait()
        finally:
            await kill_group(process)
        if code:
            raise DemoFailedError("push", f"git push ended with {code}", lines=lines[-LAST_LINES:])

    async def _received(self, done: Cycle, _word: str) -> None:
        await self._view.until(lambda objects: run_of(done.commit, objects), timeout=STATION_TIMEOUT)

    async def _built(self, done: Cycle, _word: str) -> None:
        run = await self._view.until(lambda objects: finished_run(done.commit, objects), timeout=RUN_TIMEOUT)
        conclusion = (run.get("status") or {}).get("conclusion")
        if conclusion != "success":
            name = key_of(run).name
            lines = await self._log(run)
            remedy = f"start it again as said below, then: tidegate logs {name}"
            raise DemoFailedError("run", f"the run {name} ended with {conclusion}", lines=lines, remedy=remedy)
        async with httpx2.AsyncClient(base_url=self._url, timeout=REQUEST_TIMEOUT, trust_env=False) as http:
            path = f"/v2/{layout.IMAGE.partition('/')[2]}/manifests/{done.version}"
            answer = await http.get(path, headers={"Accept": "application/vnd.oci.image.index.v1+json"})
            if answer.status_code != 200:
                raise DemoFailedError("run", f"the registry has no {done.image}: {answer.status_code}")
            done.digest = answer.headers["docker-content-digest"]
            platforms = [manifest["platform"] for manifest in json.loads(answer.content)["manifests"]]
        parts = ("os", "architecture", "variant")
        done.platforms = ["/".join(one[part] for part in parts if one.get(part)) for one in platforms]

    async def _log(self, run: Object) -> list[str]:
        """The lines of the run's log that say why it failed."""
        path = f"/api/v1/namespaces/{key_of(run).namespace}/pods/{key_of(run).name}/log"
        async with httpx2.AsyncClient(base_url=self._url, timeout=REQUEST_TIMEOUT, trust_env=False) as http:
            answer = await http.get(path, params={"tailLines": str(LOG_LINES)})
        return excerpt(answer.text.splitlines()) if answer.status_code == 200 else []

    async def _scanned(self, done: Cycle, _word: str) -> None:
        await self._view.until(lambda objects: _scan_has(done.version, objects), timeout=STATION_TIMEOUT)

    async def _selected(self, done: Cycle, _word: str) -> None:
        await self._view.until(lambda objects: self._policy_has(done.version, objects), timeout=STATION_TIMEOUT)

    async def _updated(self, done: Cycle, _word: str) -> None:
        automation = await self._view.until(
            lambda objects: self._automation_has(done.version, objects), timeout=STATION_TIMEOUT
        )
        done.automation_commit = str(automation["status"]["lastPushCommit"])

    async def _deployed(self, done: Cycle, _word: str) -> None:
        done.applied_revision = await self._view.until(
            lambda objects: self._applied(done, objects), timeout=STATION_TIMEOUT
        )

    async def _answered(self, done: Cycle, word: str) -> None:
        url = await self._view.until(self._service, timeout=STATION_TIMEOUT)
        fresh = httpx2.Limits(max_keepalive_connections=0)  # a kept connection stays with the replica that took it
        async with (
            httpx2.AsyncClient(timeout=REQUEST_TIMEOUT, trust_env=False, limits=fresh) as http,
            asyncio.timeout(STATION_TIMEOUT),
        ):
            while done.served_word != word or not self._is_wanted(done.served_version, done.version):
                self._give_up_where_hopeless()
                try:
                    answer = (await http.get(f"{url}/api/version")).json()
                    done.served_version, done.served_word = str(answer["version"]), str(answer["word"])
                except (httpx2.HTTPError, ValueError, KeyError):
                    pass
                await asyncio.sleep(ANSWER_POLL)

    def _is_wanted(self, version: str, wanted: str) -> bool:
        if self._exact or not version.startswith("1.0."):
            return version == wanted
        return int(version.rpartition(".")[2]) >= int(wanted.rpartition(".")[2])

    def _policy_has(self, version: str, objects: Objects) -> bool | None:
        tags = [((policy.get("status") or {}).get("latestRef") or {}).get("tag") for policy in objects["ImagePolicy"]]
        return any(self._is_wanted(tag or "", version) for tag in tags) or None

    def _automation_has(self, version: str, objects: Objects) -> Object | None:
        for automation in objects["ImageUpdateAutomation"]:
            status = automation.get("status") or {}
            observed = [str(policy.get("tag")) for policy in (status.get("observedPolicies") or {}).values()]
            if status.get("lastPushCommit") and any(self._is_wanted(tag, version) for tag in observed):
                return automation
        return None

    def _applied(self, done: Cycle, objects: Objects) -> str | None:
        for kustomization in objects["Kustomization"]:
            revision = str((kustomization.get("status") or {}).get("lastAppliedRevision", ""))
            if key_of(kustomization).name != "apps" or not revision:
                continue
            if revision.endswith(done.automation_commit) or (not self._exact and not revision.endswith(done.commit)):
                return revision
        return None

    def _service(self, objects: Objects) -> str | None:
        self._give_up_where_hopeless()
        return service_url(deployment_of(layout.IMAGE, objects["Deployment"]), objects["Service"]) or None

    def _give_up_where_hopeless(self) -> None:
        deployment = deployment_of(layout.IMAGE, self._view.objects["Deployment"])
        stalled = find(((deployment or {}).get("status") or {}).get("conditions") or [], "Stalled")
        if stalled is not None and stalled.get("status") == "True":
            raise DemoFailedError("answer", f"this machine can't run it: {stalled.get('message')}")

    def _words(self) -> list[str]:
        """What the objects of the way say of themselves."""
        lines = []
        for kind, objects in self._view.objects.items():
            for obj in objects:
                ready = find((obj.get("status") or {}).get("conditions") or [], "Ready") or {}
                if ready.get("status") == "False":
                    lines.append(f"{kind}/{key_of(obj).name}: {ready.get('message')}")
        deployment = deployment_of(layout.IMAGE, self._view.objects["Deployment"])
        if deployment is not None and not is_available(deployment):
            lines.append(f"{key_of(deployment)}: {json.dumps((deployment.get('status') or {}).get('conditions'))}")
        return lines[-LAST_LINES:]


async def _ended(push: asyncio.Task[None]) -> None:
    """Let the push end by itself for a moment: its last lines name the answer's URL."""
    await asyncio.wait({push}, timeout=REQUEST_TIMEOUT)
    push.cancel()
    await asyncio.gather(push, return_exceptions=True)


def excerpt(lines: Sequence[str]) -> list[str]:
    """The last lines of what failed: from the step's own output on, to its error."""
    at = next((number for number in reversed(range(len(lines))) if "##[error]" in lines[number]), len(lines) - 1)
    start = next((number + 1 for number in reversed(range(at)) if lines[number].endswith("##[endgroup]")), 0)
    return list(lines[max(start, at + 1 - LAST_LINES) : at + 1])


def run_of(commit: str, objects: Objects) -> Object | None:
    """The run of a commit."""
    return next((run for run in objects["WorkflowRun"] if run.get("spec", {}).get("commit") == commit), None)


def finished_run(commit: str, objects: Objects) -> Object | None:
    """The run of a commit, once it is completed."""
    run = run_of(commit, objects)
    return run if run is not None and (run.get("status") or {}).get("status") == "completed" else None


def _scan_has(version: str, objects: Objects) -> bool | None:
    for repository in objects["ImageRepository"]:
        if version in (((repository.get("status") or {}).get("lastScanResult") or {}).get("latestTags") or []):
            return True
    return None
