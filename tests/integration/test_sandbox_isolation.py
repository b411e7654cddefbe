"""What a command in the sandbox can and can't do, as root's and as an ordinary user's."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tidegate.base import process
from tidegate.base.sandbox import (
    DEFAULT_CAPABILITIES,
    SETUP_FAILED,
    Bind,
    Capabilities,
    FolderRoot,
    HostRoot,
    Sandbox,
    argv,
    environment,
    host_uid,
)
from tidegate.base.sandbox_probe import probe

pytestmark = pytest.mark.integration
NOBODY = 65534
PATH = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


def reachable_python() -> str | None:
    """An interpreter that an ordinary user may start."""
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        path = Path(candidate).resolve()
        if path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents):
            return candidate
    return None


@dataclass(frozen=True)
class Machine:
    """Runs sandboxes as root or as an ordinary user."""

    capabilities: Capabilities
    prefix: tuple[str, ...]
    folder: Path

    def command(self, spec: Sandbox, *command: str) -> list[str]:
        return [*self.prefix, *argv(spec, self.capabilities, command)]

    async def run(self, spec: Sandbox, *command: str) -> process.Completed:
        spec = replace(spec, env=PATH | dict(spec.env))
        given = environment(spec, self.capabilities)
        return await process.run(self.command(spec, *command), env=given, check=False, timeout=20)

    def give(self, path: Path, spec: Sandbox) -> Path:
        """Make `path` the sandboxed user's own."""
        if os.geteuid() == 0:
            owner = host_uid(spec, self.capabilities) if self.capabilities.root else NOBODY
            os.chown(path, owner, owner)
        return path


@pytest.fixture(params=["root", "user"])
async def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    here = await probe()
    here.require()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-sandbox-"))
    folder.chmod(0o755)
    prefix: tuple[str, ...] = ()
    if request.param == "root" and not here.root:
        pytest.skip("this variant needs root")
    if request.param == "user" and here.root:
        python = reachable_python()
        if python is None:
            pytest.skip("no interpreter that an ordinary user may start: apt-get install python3")
        monkeypatch.setattr(sys, "executable", python)
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        here = Capabilities(root=False, isolation=True, network=True, user_ranges=False)
    yield Machine(here, prefix, folder)
    shutil.rmtree(folder)


async def test_the_command_runs_with_its_own_environment_and_exit_code(machine: Machine) -> None:
    done = await machine.run(Sandbox(env={"WORD": "tide"}), "sh", "-c", "env; exit 7")
    assert done.exit_code == 7
    assert "WORD=tide" in done.text.splitlines()
    assert "TIDEGATE" not in done.text


async def test_a_missing_command_is_127_and_says_so(machine: Machine) -> None:
    done = await machine.run(Sandbox(), "no-such-program")
    assert done.exit_code == 127
    assert b"can't start 'no-such-program'" in done.stderr


async def test_a_set_up_that_fails_is_told_apart(machine: Machine) -> None:
    spec = Sandbox(binds=(Bind(machine.folder, "/usr/no-such-folder"),))
    done = await machine.run(spec, "true")
    assert done.exit_code == SETUP_FAILED
    assert b"/usr/no-such-folder" in done.stderr


async def test_only_the_system_is_there(machine: Machine) -> None:
    done = await machine.run(Sandbox(), "ls", "/")
    assert {"usr", "etc", "tmp", "proc", "dev"} <= set(done.text.split())
    assert not {"root", "home", "run", "sys", "work", "srv", "mnt"} & set(done.text.split())


async def test_the_host_is_read_only_and_tmp_is_its_own(machine: Machine) -> None:
    done = await machine.run(
        Sandbox(uid=0, gid=0), "sh", "-c", "touch /usr/x || touch /etc/x || touch /tmp/x && ls /tmp"
    )
    assert done.text.split() == ["x"]


async def test_a_hidden_path_is_empty(machine: Machine) -> None:
    done = await machine.run(Sandbox(root=HostRoot(hidden=(Path("/usr/share"),))), "ls", "-A", "/usr/share")
    assert (done.exit_code, done.text) == (0, "")


async def test_a_workspace_can_be_written_and_a_read_only_bind_can_not(machine: Machine) -> None:
    spec = Sandbox(workdir="/workspace")
    workspace, inputs = machine.folder / "workspace", machine.folder / "inputs"
    for folder in (workspace, inputs):
        folder.mkdir()
        machine.give(folder, spec)
    (inputs / "file").write_text("in")
    spec = replace(spec, binds=(Bind(workspace, "/workspace"), Bind(inputs, "/workspace/in", read_only=True)))
    done = await machine.run(spec, "sh", "-c", "cp in/file out && ! touch in/other && pwd")
    assert (done.exit_code, done.text) == (0, "/workspace\n")
    assert (workspace / "out").read_text() == "in"
    assert not (inputs / "other").exists()


async def test_a_symlink_in_the_root_can_not_lead_a_mount_outside(machine: Machine) -> None:
    root = machine.folder / "root"
    outside = machine.folder / "outside"
    outside.mkdir()
    for name in ("usr", "lib", "lib64", "bin"):
        (root / name).mkdir(parents=True)
    (root / "data").symlink_to(outside)
    (machine.folder / "value").write_text("x")
    for folder in (root, outside):
        machine.give(folder, Sandbox())
    binds = tuple(Bind(Path(f"/{name}"), f"/{name}", read_only=True) for name in ("usr", "lib", "lib64", "bin"))
    spec = Sandbox(root=FolderRoot(root), binds=(*binds, Bind(machine.folder / "value", "/data/value")), tmpfs=())
    done = await machine.run(spec, "cat", "/data/value")
    assert (done.exit_code, done.text) == (0, "x")
    assert list(outside.iterdir()) == []
    assert (root / str(outside).lstrip("/") / "value").exists()


async def test_it_sees_no_other_process_and_no_network_but_its_loopback(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"ls /proc | grep -c '^[0-9]'; cat /proc/net/dev | grep -c :; : < /dev/tcp/127.0.0.1/{port}"
        done = await machine.run(Sandbox(), "bash", "-c", script)
    processes, interfaces = map(int, done.text.split())
    assert processes < 8
    assert interfaces == 1
    assert done.exit_code != 0
    assert b"refused" in done.stderr


async def test_loopback_is_up_and_low_ports_are_free(machine: Machine) -> None:
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 80));"
        "socket.create_connection(('127.0.0.1', 80)); print('ok')"
    )
    done = await machine.run(Sandbox(), "/usr/bin/python3", "-c", program)
    assert done.text == "ok\n", done.stderr


@pytest.mark.parametrize("uid", [0, 1000])
async def test_no_privilege_is_left(machine: Machine, uid: int) -> None:
    script = "id -u; id -g; id -G; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; unshare -U true && echo nested"
    done = await machine.run(Sandbox(uid=uid, gid=uid), "sh", "-c", script)
    words = done.text.split()
    assert words[:3] == [str(uid)] * 3 if uid else words[:2] == ["0", "0"]
    values = dict(zip(words[-6::2], words[-5::2], strict=True))
    assert values == {"CapEff:": "0" * 16, "CapBnd:": "0" * 16, "NoNewPrivs:": "1"}
    assert "nested" not in words


async def test_root_inside_may_become_another_user_but_is_nobody_outside(machine: Machine) -> None:
    spec = Sandbox(uid=0, gid=0, capabilities=DEFAULT_CAPABILITIES, workdir="/w")
    workspace = machine.folder / "w"
    workspace.mkdir()
    spec = replace(spec, binds=(Bind(machine.give(workspace, spec), "/w"),))
    done = await machine.run(spec, "sh", "-c", "touch a; chown 33 a; setpriv --reuid 33 --clear-groups id -u")
    if not machine.capabilities.root:
        assert done.exit_code != 0, "an ordinary user has one id only"
        return
    assert (done.exit_code, done.text) == (0, "33\n")
    assert (workspace / "a").stat().st_uid == spec.users.base + 33  # type: ignore[union-attr]


async def test_the_init_can_be_neither_read_nor_killed(machine: Machine) -> None:
    script = "cat /proc/1/environ; ls /proc/1/root; kill -KILL 1; kill -STOP 1; echo alive"
    done = await machine.run(Sandbox(uid=0, gid=0), "sh", "-c", script)
    assert done.text == "alive\n"
    assert done.stderr.count(b"Permission denied") >= 2


async def start(machine: Machine, spec: Sandbox, *command: str) -> asyncio.subprocess.Process:
    spec = replace(spec, env=PATH)
    child = await asyncio.create_subprocess_exec(
        *machine.command(spec, *command),
        env=environment(spec, machine.capabilities),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=process.die_with_parent,
    )
    assert child.stdout is not None
    await asyncio.wait_for(child.stdout.readline(), 10)
    return child


async def test_sigterm_reaches_the_command_and_it_may_finish(machine: Machine) -> None:
    child = await start(machine, Sandbox(), "bash", "-c", "trap 'echo bye; exit 3' TERM; echo up; sleep 60 & wait")
    os.killpg(child.pid, signal.SIGTERM)
    assert child.stdout is not None
    assert await child.stdout.read() == b"bye\n"
    assert await child.wait() == 3


async def test_sigterm_ends_a_command_that_handles_none(machine: Machine) -> None:
    child = await start(machine, Sandbox(), "sh", "-c", "echo up; exec sleep 60")
    os.killpg(child.pid, signal.SIGTERM)
    assert await asyncio.wait_for(child.wait(), 5) == 128 + signal.SIGTERM


def running(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


async def test_everything_inside_dies_with_the_process_that_was_started(machine: Machine) -> None:
    word = f"86{os.getpid()}"
    script = f"(setsid sleep {word} &) ; sleep {word} & echo up; sleep {word}"
    child = await start(machine, Sandbox(), "bash", "-c", script)
    assert running(word)
    child.kill()
    await child.wait()
    deadline = time.monotonic() + 5
    while running(word) and time.monotonic() < deadline:
        time.sleep(0.02)  # noqa: ASYNC251 - nothing else is to run
    assert running(word) == []


async def test_limits_are_set(machine: Machine) -> None:
    done = await machine.run(Sandbox(limits={"core": 0, "nofile": 64}), "bash", "-c", "ulimit -n; ulimit -c")
    assert done.text.split() == ["64", "0"]
