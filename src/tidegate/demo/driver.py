"""Drives the demonstration: an example repository, a Tidegate for it, and the way of two commits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from tidegate.base.frozen import frozen
from tidegate.base.home import Server, git_settings
from tidegate.demo import layout
from tidegate.demo.cycle import DemoFailedError, Driver
from tidegate.demo.report import Report
from tidegate.demo.server import DemoServer
from tidegate.demo.turns import TurnTeller, suspension, turns
from tidegate.engine.journey import KINDS, deployment_of, service_url
from tidegate.engine.view import Objects, View
from tidegate.kube.access import plain
from tidegate.kube.client import KubeClient
from tidegate.kube.pacing import QUICK
from tidegate.kube.store import KubeStore

BASE = "python:3.11-slim=debian:bookworm"
AUTOMATION_EMAIL = "flux@raspberrypi-cluster.local"
QUIET_TIMEOUT = 20.0
LOOP_TIMEOUT = 300.0
FOLLOWED = (*KINDS, ("tidegate.dev", "Runner"), ("", "Event"))


@frozen
class Options:
    """What the command line said."""

    folder: Path
    poll_only: bool = False
    path_filter: bool = True


class Demo:
    """The demonstration. Call `run`, then `stop`; `say` gets the lines for people."""

    def __init__(self, options: Options, say: Callable[[str], None]):
        self._options = options
        self._say = say
        self.report = Report(home=str((options.folder / "home").absolute()))
        self._arguments = ["--stand-in", "ghcr.io", "--stand-in", "github.com", "--base", BASE]
        self._arguments += ["--poll-only"] if options.poll_only else []
        self._server = DemoServer(options.folder / "home", ["--port", "0", *self._arguments])

    @property
    def again(self) -> list[str]:
        """The arguments of `tidegate` that start this server again, at the address that the example pushes to."""
        port = self.report.url.rpartition(":")[2]
        arguments = ["--port", port, *self._arguments] if port else self._arguments
        return ["up", "--home", self.report.home, *arguments]

    @property
    def log(self) -> Path:
        """Where the server's own output is."""
        return self._server.log

    async def run(self) -> Report:
        """Go the whole way; raises DemoFailedError with the station, else the report says `ok`."""
        repository = self._options.folder / "smartbiz"
        self._say(f"An example repository in {repository}")
        layout.lay_out(repository, path_filter=self._options.path_filter)
        word = layout.new_word()
        layout.write_word(repository, word)
        server = await self._server.start()
        self.report.url = server.url
        self._say(f"Tidegate at {server.url} (home {self.report.home})")
        self._say(f"  the registry answers for ghcr.io, Git for github.com; FROM {BASE.replace('=', ' is ')}")
        commit = await self._first_commit(repository, server)
        async with (
            KubeClient(plain(server.url, self._server.home.token()), limits=QUICK) as client,
            View(KubeStore(client), FOLLOWED, self._server.check) as view,
        ):
            driver = Driver(repository, server.url, view, self._say, exact=self._options.path_filter)
            await self._cycles(driver, view, repository, commit, word)
        return self.report

    async def stop(self) -> None:
        """End the server."""
        await self._server.stop()

    async def _first_commit(self, repository: Path, server: Server) -> str:
        """Make the folder a repository whose pushes carry the home's credential, which git reads from a 0600 file."""
        credentials = self._server.home.write_git_credentials(server.url)
        await layout.git(repository, "init", "--quiet", "--initial-branch=main")
        remote = f"{server.url}/git/{layout.OWNER}/{layout.NAME}.git"
        await layout.git(repository, "remote", "add", "origin", remote)
        developer = {"user.name": "Developer", "user.email": "developer@example.com"}
        for key, value in (git_settings(server.url, credentials) | developer).items():
            await layout.git(repository, "config", key, value)
        return await layout.commit_all(repository, "Add SmartBiz and the way to run it")

    async def _cycles(self, driver: Driver, view: View, repository: Path, commit: str, word: str) -> None:
        self._say("Cycle 1: git push")
        self.report.cycles.append(await driver.cycle(commit, word))
        if self._options.path_filter:
            self._say("Cycle 2: a new word in main.py, git push")
            await layout.git(repository, "pull", "--quiet", "--rebase")
            word = layout.new_word()
            layout.write_word(repository, word)
            commit = await layout.commit_all(repository, f"Say {word}")
            self.report.cycles.append(await driver.cycle(commit, word))
            await self._let_echoes_come(view)
        else:
            await self._let_it_loop(view)
        self.report.loops = await self._count_loops(repository, view.objects)
        self.report.suspended = bool(_suspended(view.objects))
        deployment = deployment_of(layout.IMAGE, view.objects["Deployment"])
        self.report.service_url = service_url(deployment, view.objects["Service"])
        if self._options.path_filter and self.report.loops:
            raise DemoFailedError("run", f"automation commits started {self.report.loops} runs: the path filter failed")
        if not self._options.path_filter and self.report.loops < 2:
            raise DemoFailedError("run", f"without the path filter the way should loop; runs: {self.report.loops}")
        self.report.ok = True

    async def _let_it_loop(self, view: View) -> None:
        """Tell each turn of the loop, until the guard has suspended the automation and said so."""
        self._say("Without the path filter, each automation commit starts the next run:")
        teller = TurnTeller(self._say)

        def over(objects: Objects) -> str | None:
            teller.tell(objects)
            return suspension(objects) or None

        try:
            self.report.suspension = await view.until(over, timeout=LOOP_TIMEOUT)
        except TimeoutError:
            raise DemoFailedError("update", "the loop was not stopped", lines=turns(view.objects)) from None
        self.report.turns = await view.until(_all_turns, timeout=QUIET_TIMEOUT)
        teller.tell(view.objects)

    async def _let_echoes_come(self, view: View) -> None:
        """Wait until the Runner has looked at the last automation commit: now a run of it would be there."""
        commit = self.report.cycles[-1].automation_commit

        def handled(objects: Objects) -> bool | None:
            refs = [(runner.get("status") or {}).get("refs") or {} for runner in objects["Runner"]]
            return any(commit in found.values() for found in refs) or None

        with contextlib.suppress(TimeoutError):
            await view.until(handled, timeout=QUIET_TIMEOUT)

    async def _count_loops(self, repository: Path, objects: Objects) -> int:
        """The runs of commits that the automation wrote, by Git's own word for their author."""
        await layout.git(repository, "fetch", "--quiet")
        commits = [str(run["spec"]["commit"]) for run in objects["WorkflowRun"]]
        authors = await asyncio.gather(
            *(layout.git(repository, "show", "--no-patch", "--format=%ae", commit) for commit in commits)
        )
        return sum(author == AUTOMATION_EMAIL for author in authors)


def _all_turns(objects: Objects) -> list[str] | None:
    found = turns(objects)
    return found if len(found) == len(objects["WorkflowRun"]) and _suspended(objects) else None


def _suspended(objects: Objects) -> bool | None:
    return any(one.get("spec", {}).get("suspend") is True for one in objects["ImageUpdateAutomation"]) or None
