"""The network outside, by every way that there is: as root, and as an ordinary user. On a machine of the test's own."""

from __future__ import annotations

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
    with world.entered():
        yield


@pytest.mark.parametrize(
    ("way", "user"), [("veth", False), ("slirp4netns", False), ("slirp4netns", True), ("pasta", True)]
)
def test_jobs_and_workloads_reach_the_outside_and_nothing_else(machine, folder, way, user):
    if way != "veth":
        need(way, {"pasta": "passt"}.get(way))
    python = ordinary_python(folder) if user else ["env", sys.executable]
    if not python:
        pytest.skip("no interpreter that an ordinary user may start: apt-get install python3")
    command = [*python[:-1], f"TIDEGATE_TEST_NETWORK={way}", python[-1], "-m", "pytest", "-q", "-x"]
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
        world.with_files(folder, command),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert_nothing_is_left()


@pytest.mark.parametrize(("way", "user"), [("veth", False), ("slirp4netns", True), ("pasta", True)])
def test_a_killed_server_leaves_nothing_after_its_next_start(machine, folder, way, user):
    if way != "veth":
        need(way, {"pasta": "passt"}.get(way))
    python = ordinary_python(folder) if user else ["env", sys.executable]
    if not python:
        pytest.skip("no interpreter that an ordinary user may start: apt-get install python3")
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
