"""The one place that runs other programs: an argv list, an environment from nothing, a time limit, bounded output.

Never a shell, never the server's own environment, and the whole process group ends with the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from tidegate.base.errors import CommandFailed, LimitExceeded, MissingTool
from tidegate.base.frozen import frozen

DEFAULT_TIMEOUT = 60.0
DEFAULT_OUTPUT_LIMIT = 64 * 1024 * 1024
ERROR_TAIL = 4096
UNREAD_TIMEOUT = 1.0
PR_SET_PDEATHSIG = 1
PROBE_TIMEOUT = 10.0
# Proxy, CA and index settings of the host: what a child needs to reach the network as the host does, and no more.
NETWORK_VARIABLES = (
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
_PROXIES = frozenset(name for name in NETWORK_VARIABLES if name.lower() in ("http_proxy", "https_proxy", "all_proxy"))
_COMMAND = re.compile(r"[a-z][a-z-]+")
_LOOPBACK = "localhost,127.0.0.1,::1"


@frozen
class Completed:
    """How a program ended: its exit code and what it wrote."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


def minimal_environment(extra: Mapping[str, str] | None = None, *, network: bool = False) -> dict[str, str]:
    """PATH and a fixed locale, then `extra`; with `network`, the host's proxy and CA settings too."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    if network:
        environment |= network_settings(os.environ)
    return environment | dict(extra or {})


def network_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The host's proxy and CA settings alone. A proxy is for other machines, whatever NO_PROXY forgets to say."""
    found = {name: environment[name] for name in NETWORK_VARIABLES if name in environment}
    spared = found.get("no_proxy") or found.get("NO_PROXY") or ""
    if not _PROXIES & set(found) or spared.strip() == "*":
        return found
    spared = ",".join(part for part in (spared, _LOOPBACK) if part)
    return found | {"no_proxy": spared, "NO_PROXY": spared}


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel kills this child when its parent dies, so a killed server leaves nothing running."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def dying_with_parent(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path | None = None
) -> tuple[list[str], Callable[[], None] | None]:
    """The command line and `preexec_fn` of a child that the kernel kills when its parent dies; FileNotFoundError where
    there is no such program.

    A `preexec_fn` makes Python copy the whole process for each child (15 ms for a server, and every page that is
    written to meanwhile), so `setpriv` says it instead, in the child's own process; where it can't, Python does.
    """
    setpriv = _setpriv()
    if setpriv is None:
        return list(argv), die_with_parent
    program = argv[0] if cwd is None or "/" not in argv[0] else str(cwd / argv[0])
    found = shutil.which(program, path=env.get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(argv[0])
    return [setpriv, "--pdeathsig", "KILL", "--", found, *argv[1:]], None


@cache
def _setpriv() -> str | None:
    """Where util-linux' setpriv is, if it knows what is asked of it: busybox' does not."""
    found = shutil.which("setpriv")
    if found is None:
        return None
    probe = [found, "--pdeathsig", "KILL", "--", "true"]
    try:
        done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found if done.returncode == 0 else None


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    output_limit: int = DEFAULT_OUTPUT_LIMIT,
    check: bool = True,
    package: str | None = None,
) -> Completed:
    """Run `argv` to its end and return what it wrote.

    `timeout` is in seconds, `output_limit` in bytes for stdout and stderr each. Raises MissingTool (naming `package`)
    where the program is not installed, LimitExceeded past a bound, and CommandFailed on a bad exit if `check`.
    """
    process = await _start(argv, cwd, env, package, feed=stdin is not None)
    try:
        async with asyncio.timeout(timeout):
            stdout, stderr = await _communicate(process, stdin, output_limit)
            exit_code = await process.wait()
    except TimeoutError:
        raise CommandFailed(f"{_named(argv)} was ended after {timeout:g} s", exit_code=None) from None
    finally:
        await kill_group(process)
    if check and exit_code != 0:
        tail = stderr[-ERROR_TAIL:].decode("utf-8", "replace").strip()
        last = tail.splitlines()[-1] if tail else "it wrote nothing on stderr"
        raise CommandFailed(f"{Path(argv[0]).name} ended with {exit_code}: {last}", exit_code=exit_code, output=tail)
    return Completed(exit_code, stdout, stderr)


def _named(argv: Sequence[str]) -> str:
    """A program and its command, as people say it: `git fast-import`. Other arguments may hold what is not shown."""
    command = next((word for word in argv[1:] if _COMMAND.fullmatch(word)), "")
    return f"{Path(argv[0]).name} {command}".rstrip()


async def _start(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, package: str | None, *, feed: bool
) -> asyncio.subprocess.Process:
    environment = dict(minimal_environment() if env is None else env)
    try:
        command, preexec_fn = dying_with_parent(argv, environment, cwd)
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if feed else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            preexec_fn=preexec_fn,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.exists():
            raise
        name = Path(argv[0]).name
        remedy = f"install it: apt-get install {package or name}"
        raise MissingTool(f"the program {name!r} is not installed", remedy=remedy) from error


async def _communicate(
    process: asyncio.subprocess.Process, stdin: bytes | None, output_limit: int
) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.TaskGroup() as tasks:
            if stdin is not None:
                tasks.create_task(_feed(process, stdin))
            stdout = tasks.create_task(_read_bounded(process.stdout, output_limit))
            stderr = tasks.create_task(_read_bounded(process.stderr, output_limit))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return stdout.result(), stderr.result()


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _read_bounded(stream: asyncio.StreamReader, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(65536):
        size += len(chunk)
        if size > limit:
            raise LimitExceeded(f"a program wrote more than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def kill_group(process: asyncio.subprocess.Process) -> None:
    """End whatever is left of the process and its group, and reap it. Whoever reads its output has UNREAD_TIMEOUT to
    come to its end.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        async with asyncio.timeout(UNREAD_TIMEOUT):
            await process.wait()
    except TimeoutError:
        # To asyncio a process goes on as long as one of its pipes does: one that nobody reads any more, or that a
        # program in another group has inherited, would be waited for without end.
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public closes the pipes
        await process.wait()
