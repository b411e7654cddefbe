"""The build's own process: what comes out of it, and that it ends with its caller."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.base.errors import CommandFailed, InvalidInput, LimitExceeded, Unavailable
from tidegate.build import spawn
from tidegate.build.native import NATIVE
from tidegate.build.request import BuildRequest, RegistrySettings
from tidegate.build.spawn import build_image
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci.values import Index

pytestmark = pytest.mark.integration
NO_REGISTRY = RegistrySettings()


@pytest.fixture
def request_of(tmp_path: Path) -> BuildRequest:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY main.py /main.py\n")
    (folder / "main.py").write_text("print(1)\n")
    platforms = tuple(map(Platform.parse, ("linux/arm/v7", "linux/arm64", "linux/amd64")))
    return BuildRequest(folder, platforms, (), tmp_path / "cache", 1_700_000_000)


async def test_an_index_over_all_platforms_comes_out(request_of: BuildRequest) -> None:
    log: list[str] = []
    result = await build_image(request_of, NO_REGISTRY, log.append)
    index = Index.from_bytes(BuildStore(request_of.cache).read_blob(result.index_digest))
    assert [str(one.platform) for one in index.manifests] == ["linux/arm/v7", "linux/arm64", "linux/amd64"]
    assert {line.partition(": ")[0] for line in log} == {"linux/arm/v7", "linux/arm64", "linux/amd64"}
    assert await build_image(request_of, NO_REGISTRY, log.append) == result


async def test_every_fault_comes_back_at_its_line(request_of: BuildRequest) -> None:
    (request_of.context / "Dockerfile").write_text("FROM scratch\nRUN make\nEXPOSE x\n")
    with pytest.raises(InvalidInput) as raised:
        await build_image(replace(request_of, builder="native"), NO_REGISTRY, print)
    assert str(raised.value).splitlines() == [
        f"Dockerfile:2: RUN can't be built natively: `make` must be run; {NATIVE}",
        "Dockerfile:3: EXPOSE 'x' is no port",
    ]
    assert raised.value.code == "InvalidDockerfile"


async def test_a_registry_that_is_down_is_unavailable_and_named(request_of: BuildRequest) -> None:
    one = replace(request_of, tags=(parse("127.0.0.1:9/acme/web:1"),), platforms=request_of.platforms[:1])
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        await build_image(one, NO_REGISTRY, print, timeout=60)


async def test_an_unpullable_base_names_the_flag_that_helps(request_of: BuildRequest) -> None:
    (request_of.context / "Dockerfile").write_text("FROM 127.0.0.1:9/python:3.11-slim\n")
    with pytest.raises(Unavailable, match=r"FROM 127\.0\.0\.1:9/python:3\.11-slim can't be pulled") as raised:
        await build_image(replace(request_of, platforms=request_of.platforms[:1]), NO_REGISTRY, print, timeout=60)
    assert "--base 127.0.0.1:9/python:3.11-slim=debian:bookworm" in (raised.value.remedy or "")


def children_of(pid: int) -> list[int]:
    """Whose parent is `pid` and who has not ended; read from /proc, since `ps` is in no base system."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


async def test_a_cancelled_build_leaves_no_process(request_of: BuildRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "child_argv", lambda *_: ["sleep", "600"])
    before = set(children_of(os.getpid()))
    task = asyncio.create_task(build_image(request_of, NO_REGISTRY, print))
    while not (mine := set(children_of(os.getpid())) - before):  # noqa: ASYNC110 - a birth sets no event of ours
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)


async def test_a_build_that_takes_too_long_is_ended(request_of: BuildRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "child_argv", lambda *_: ["sleep", "600"])
    with pytest.raises(CommandFailed, match=r"ended after 0\.2 s"):
        await build_image(request_of, NO_REGISTRY, print, timeout=0.2)


async def test_a_child_that_dies_says_its_last_words(request_of: BuildRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "child_argv", lambda *_: ["sh", "-c", "cat >/dev/null; echo one; echo two >&2; exit 3"])
    with pytest.raises((CommandFailed, LimitExceeded)):
        await build_image(request_of, NO_REGISTRY, print)
    monkeypatch.setattr(spawn, "child_argv", lambda *_: ["sh", "-c", "cat >/dev/null; echo two >&2; exit 3"])
    with pytest.raises(CommandFailed, match="ended with 3: two"):
        await build_image(request_of, NO_REGISTRY, print)


@pytest.mark.parametrize("step", ["build.layer-written", "build.image-built"])
async def test_a_build_killed_at_a_step_comes_to_the_same_digest_afterwards(
    request_of: BuildRequest, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    expected = await build_image(replace(request_of, cache=request_of.cache / "other"), NO_REGISTRY, print)
    monkeypatch.setenv("TIDEGATE_KILL_AT", step)
    with pytest.raises(CommandFailed, match="ended with -9"):
        await build_image(request_of, NO_REGISTRY, print)
    monkeypatch.delenv("TIDEGATE_KILL_AT")
    assert await build_image(request_of, NO_REGISTRY, print) == expected
    assert list((request_of.cache / "scratch").iterdir()) == []


def test_a_build_dies_with_its_parent(request_of: BuildRequest) -> None:
    program = (
        "import asyncio, sys\nfrom tidegate.build import spawn\nfrom tidegate.build.request import *\n"
        "spawn.child_argv = lambda *_: ['sleep', '600']\n"
        f"r = BuildRequest.from_json({request_of.as_json()!r})\n"
        "asyncio.run(spawn.build_image(r, RegistrySettings(), print))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 20
        while not (mine := children_of(parent.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert mine
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while any(_is_alive(pid) for pid in mine) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_is_alive(pid) for pid in mine)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_build_has_no_more_memory_than_its_limit() -> None:
    program = (
        "from tidegate.build.child import limit_memory\nlimit_memory(1 << 30)\nlimit_memory(2 << 30)\n"
        "try:\n    bytearray(3 << 29)\nexcept MemoryError:\n    print('bounded')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "bounded\n"
