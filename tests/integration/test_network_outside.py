"""The network outside, by every way that there is: as root, and as an ordinary user. On a machine of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

import outside_world as world
from needed import need
from runner_home import NOBODY, git, ordinary_python, workflow

from tidegate.network import commands
from tidegate.network.outside import Outside, Way

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a machine of the test's own"),
]
HERE = Path(__file__).parent


@pytest.fixture
def folder():
    """One that an ordinary user may reach, and short: sockets lie in it."""
    made = Path(tempfile.mkdtemp(prefix="tidegate-net-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def machine():
    need("nft", "nftables")
    need("ip", "iproute2")
    with world.entered() as outside:
        yield outside


@pytest.mark.parametrize(
    ("way", "user"), [("veth", False), ("slirp4netns", False), ("slirp4netns", True), ("pasta", True)]
)
def test_jobs_and_workloads_reach_the_outside_and_nothing_else(machine, folder, way, user):
    check(folder, way, user=user)
    assert_nothing_is_left()


def test_a_name_server_on_the_machines_loopback_is_asked_by_slirp4netns(machine, folder):
    """Which so is what root has by itself there."""
    check(folder, "auto", "-k", "test_a_job_reaches_the_outside", names="127.0.0.1")


def check(folder: Path, way: str, *more: str, user: bool = False, names: str = world.NAMES) -> None:
    """Run outside_checks.py on the machine."""
    python = python_of(folder, way, user=user)
    command = [*python[:-1], f"TIDEGATE_TEST_NETWORK={way}", python[-1], "-m", "pytest", "-q", "-x", *more]
    tests = folder / "tests"
    shutil.copytree(HERE, tests, ignore=shutil.ignore_patterns("__pycache__", "conftest.py"))
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
        "addopts = --import-mode=importlib -p no:cacheprovider\nfilterwarnings = error\nmarkers =\n  integration\n"
    )
    command += [f"--basetemp={folder}/base", str(tests / "outside_checks.py")]
    if user:
        os.chown(folder, NOBODY, NOBODY)
    done = subprocess.run(
        world.with_files(folder, command, names), cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def python_of(folder: Path, way: str, *, user: bool) -> list[str]:
    """How this Python is started, for root or for an ordinary user, where the machine has what the way needs."""
    if way not in ("veth", "auto"):
        need(way, {"pasta": "passt"}.get(way))
    python = ordinary_python(folder) if user else ["env", sys.executable]
    if not python:
        pytest.skip("no interpreter that an ordinary user may start: apt-get install python3")
    return python


@pytest.mark.parametrize(("way", "user"), [("veth", False), ("slirp4netns", True), ("pasta", True)])
def test_a_killed_server_leaves_nothing_after_its_next_start(machine, folder, way, user):
    python = python_of(folder, way, user=user)
    with Server(folder, python, way) as server:
        server.run_forever()
        traces = until(lambda: links(way), "a link")
        server.process.kill()
    until(lambda: not links(way), f"the end of {traces}")
    assert ("tidegate" in world.tables()) == (way == "veth")
    with Server(folder, python, "none") as server:
        assert_nothing_is_left()
        server.process.terminate()
        assert server.process.wait(60) == 0


def test_two_homes_do_not_disturb_each_other(machine, folder):
    first, second = folder / "first", folder / "second"
    for one in (first, second):
        one.mkdir()
    python = ["env", sys.executable]
    with Server(first, python, "veth") as one, Server(second, python, "veth") as other:
        one.run_forever()
        until(lambda: len(links("veth")) == 1, "the first home's link")
        other.run_forever()
        until(lambda: len(links("veth")) == 2, "the second home's link")
        kept = world.kept_routes().splitlines()
        assert len({line.split()[1] for line in kept}) == 2, kept
        one.process.terminate()
        assert one.process.wait(60) == 0
        assert len(links("veth")) == 1
        assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
        other.process.terminate()
        assert other.process.wait(60) == 0
    assert_nothing_is_left()


def assert_nothing_is_left() -> None:
    assert not links("veth")
    assert "tidegate" not in world.tables()
    assert world.kept_routes() == ""
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "0\n"


def links(way: str) -> set[str]:
    """The machine's links: its interfaces, or the programs in its namespace."""
    if way == "veth":
        return {name for name in world.interfaces() if name.startswith("tide")}
    here, found = Path("/proc/thread-self/ns/net").stat().st_ino, set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            if name.startswith((way, "passt") if way == "pasta" else way) and (folder / "ns/net").stat().st_ino == here:
                found.add(f"{name} {folder.name}")
        except OSError:
            continue
    return found


class Server:
    """The real program on the machine, with a home in `folder`."""

    def __init__(self, folder: Path, python: list[str], way: str):
        self.folder = folder
        self.home = folder / "home"
        self.push: subprocess.Popen[bytes] | None = None
        argv = [*python, "-m", "tidegate", "up", "--home", str(self.home), "--port", "0", "--network", way]
        if python[0] == "setpriv":
            os.chown(folder, NOBODY, NOBODY)
        log = (folder / f"{way}.log").open("wb")
        self.process = subprocess.Popen(world.with_files(folder, argv), stderr=log, stdout=log, cwd=folder)
        log.close()
        self.log = folder / f"{way}.log"
        line = until(lambda: re.search(r"Tidegate \S+ at (http://\S+)", self.log.read_text()), "the doors", self)
        self.url = line[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self.process, self.push):
            if one is not None:
                one.kill()
                one.wait()

    def run_forever(self) -> None:
        """Push a workflow whose job does not end."""
        runner = {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Runner",
            "metadata": {"name": "shop", "namespace": "flux-system"},
            "spec": {"repository": "acme/shop"},
        }
        token = (self.home / "token").read_text().strip()
        asked = urllib.request.Request(
            f"{self.url}/apis/tidegate.dev/v1alpha1/namespaces/flux-system/runners",
            json.dumps(runner).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(asked, timeout=60).close()
        clone = self.folder / "clone"
        git(self.folder, "init", "--quiet", "--initial-branch=main", str(clone))
        (path, text), *_ = workflow("- run: sleep 3600").items()
        (clone / path).parent.mkdir(parents=True)
        (clone / path).write_text(text)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--message", "Wait")
        url = self.url.replace("://", f"://tidegate:{token}@")
        # It follows the run until somebody ends it.
        self.push = subprocess.Popen(
            ["git", "-C", str(clone), "push", "--quiet", f"{url}/git/acme/shop.git", "main"],
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )


def until(look: Callable[[], Any], what: str, server: Server | None = None) -> Any:
    """What a look finds, once it finds something."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        said = server.log.read_text() if server else ""
        assert time.monotonic() < deadline, f"no {what}\n{said}"
        assert server is None or server.process.poll() is None, said
        time.sleep(0.05)
    return found


def test_a_firewall_that_lets_nothing_through_leads_to_slirp4netns(machine, folder):
    """As Docker's and ufw's do: a link would be made, and lead nowhere."""
    need("slirp4netns")
    rules = "table ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n }\n}\n"
    subprocess.run(["nft", "--file", "-"], input=rules, text=True, check=True, timeout=60)
    assert with_way(folder, "auto", lambda way: way) == Way("slirp4netns")
    refused = with_way(folder, "veth", lambda way: way)
    assert not refused.leads_out
    assert "the chain FORWARD of the table filter lets nothing through" in refused.why


def test_the_machine_does_not_become_a_router_for_its_neighbours(machine, folder):
    """Forwarding is switched on for the links; between the interfaces that were there it stays as it was."""
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    with world.neighbour(machine) as neighbour:

        def reaches(address: str, port: int = world.PORT) -> bool:
            return world.reaches(neighbour, address, port)

        assert not reaches(world.WEB)
        assert reaches(world.ROUTER, world.LOCAL_PORT)  # the machine itself, so it is there
        forwarding.write_text("1")
        assert reaches(world.WEB)
        forwarding.write_text("0")
        routed = with_way(folder, "veth", lambda way: (way.leads_out, forwarding.read_text(), reaches(world.WEB)))
        assert routed == (True, "1\n", False)
    assert_nothing_is_left()


def test_a_link_leads_to_no_redirected_port_and_nobody_comes_in_by_it(machine, folder):
    """Docker publishes a port by such a redirection. It is there for others, and so is the server in the namespace."""
    port, rules = 9999, "table ip other {\n chain prerouting {\n type nat hook prerouting priority dstnat;\n"
    rules += f"ip daddr {world.HOST} tcp dport {port} dnat to 10.77.0.2:{world.PORT}\n }}\n}}\n"
    subprocess.run(["nft", "--file", "-"], input=rules, text=True, check=True, timeout=60)

    async def look() -> None:
        outside = Outside(folder, "veth")
        with world.neighbour(machine) as neighbour, world.namespace() as pid:
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")  # as Docker has it
            link = await outside.link(pid)
            (name,) = links("veth")
            inside = world.other_end(name)
            with world.serving(pid, 8000), world.serving(neighbour, world.PORT):
                assert world.reaches(machine, world.HOST, port)
                assert not world.reaches(pid, world.HOST, port)
                assert world.reaches(pid, "127.0.0.1", 8000)
                assert not world.reaches(os.getpid(), inside, 8000)
                world.route(machine, f"{inside}/32")
                assert not world.reaches(machine, inside, 8000)
            await link.close()
        await outside.close()

    asyncio.run(look())


def test_an_address_that_the_machine_gets_later_is_closed_too(machine, folder):
    """By slirp4netns and pasta the rules inside have to learn it."""
    need("slirp4netns")
    later = "203.0.113.77"

    async def look() -> None:
        outside = Outside(folder, "slirp4netns")
        with world.namespace() as pid:
            link = await outside.link(pid)
            assert await asyncio.to_thread(world.reaches, pid, world.WEB, world.PORT)
            assert not await asyncio.to_thread(world.reaches, pid, world.HOST, world.LOCAL_PORT)
            await asyncio.to_thread(world.add_address, later)
            async with asyncio.timeout(60):
                while await asyncio.to_thread(world.reaches, pid, later, world.LOCAL_PORT):  # noqa: ASYNC110 - it is asked from there
                    await asyncio.sleep(0.05)
            assert await asyncio.to_thread(world.reaches, pid, world.WEB, world.PORT)
            await link.close()
        await outside.close()

    asyncio.run(look())


def test_what_is_missing_is_named(machine, folder, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(commands, "SYSTEM", "")
    way = with_way(folder, "auto", lambda way: way)
    assert way.explain() == (
        "nothing outside: veth: the program 'ip' is not installed; slirp4netns: the program 'slirp4netns' is not "
        "installed (apt-get install nftables iproute2 slirp4netns, and start again)"
    )


def with_way(folder: Path, wanted: str, look: Callable[[Way], Any]) -> Any:
    """What a look finds while a home has its way out."""

    async def looked() -> Any:
        outside = Outside(folder, wanted)
        try:
            return look(await outside.way())
        finally:
            await outside.close()

    return asyncio.run(looked())
