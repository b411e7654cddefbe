"""Runs a build in a child process: the one door of this room for the rest of the house."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from tidegate.base.errors import CommandFailed, LimitExceeded, MissingTool
from tidegate.base.process import die_with_parent, kill_group, minimal_environment
from tidegate.build.errors_json import error_from_json
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings, check

if TYPE_CHECKING:
    from tidegate.build.index_settings import IndexSettings

TIMEOUT = 3600.0
LINE_LIMIT = 1024 * 1024
OUTPUT_LIMIT = 16 * 1024 * 1024
_TAIL = 4096
# A crash test's own variables, see base/steps.py; and the cache's size.
_PASSED = ("TIDEGATE_KILL_AT", "TIDEGATE_KILL_PID", "TIDEGATE_BUILD_CACHE_SIZE")

Log = Callable[[str], None]


def child_argv(builder: str = "native") -> list[str]:
    """The command that runs a build; what it is to build comes on stdin. For a builder that may run lines, a caller who
    is not root becomes root of a user namespace, if he can: else the first such line says what is missing.
    """
    argv = [sys.executable, "-P", "-m", "tidegate.build.child"]
    if builder == "native" or os.geteuid() == 0:
        return argv
    from tidegate.build.sandboxing.users import namespace_argv  # noqa: PLC0415 - root needs none of it

    try:
        return namespace_argv(argv)
    except MissingTool:
        return argv


def child_environment() -> dict[str, str]:
    """PATH, the locale, and the host's proxy and CA settings; nothing else of the server's environment."""
    tuned = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0"}
    return minimal_environment(tuned | {name: os.environ[name] for name in _PASSED if name in os.environ}, network=True)


async def build_image(
    request: BuildRequest,
    registry: RegistrySettings,
    log: Log,
    *,
    index: IndexSettings | None = None,
    secrets: Mapping[str, bytes] | None = None,
    timeout: float = TIMEOUT,
) -> BuildResult:
    """Build and push an image in a process of its own; `log` gets its lines as they come.

    `index` is the host's package index settings where none are given; `secrets` are build secrets by their ids;
    `timeout` is in seconds. The process ends with this call, also when it is cancelled or this process dies. Raises
    InvalidInput (an InvalidDockerfile's problems are in its message), NotFound, Unavailable, Denied, LimitExceeded,
    MissingTool or CommandFailed.
    """
    from tidegate.build.index_settings import host_settings  # noqa: PLC0415 - most processes build nothing

    check(request)
    settings = host_settings(os.environ) if index is None else index
    given = {"request": request.as_json(), "registry": registry.as_json(), "index": settings.as_json()}
    given["secrets"] = {name: base64.b64encode(value).decode() for name, value in (secrets or {}).items()}
    process = await asyncio.create_subprocess_exec(
        *child_argv(request.builder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env=child_environment(),
        limit=LINE_LIMIT,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    try:
        async with asyncio.timeout(timeout):
            return await _converse(process, json.dumps(given).encode(), log)
    except TimeoutError:
        raise CommandFailed(f"the build was ended after {timeout:g} s", exit_code=None) from None
    finally:
        await kill_group(process)


async def _converse(process: asyncio.subprocess.Process, given: bytes, log: Log) -> BuildResult:
    assert process.stdin is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_tail(process.stderr))
    try:
        process.stdin.write(given)
        process.stdin.close()
        async for value in _lines(process):
            if "log" in value:
                log(str(value["log"]))
            elif "result" in value:
                return BuildResult.from_json(value["result"])
            elif "error" in value:
                raise error_from_json(value["error"])
        exit_code = await process.wait()
        last = (await errors).strip()
        message = f"the build's process ended with {exit_code}: {last.splitlines()[-1] if last else 'it said nothing'}"
        raise CommandFailed(message, exit_code=exit_code, output=last)
    finally:
        errors.cancel()


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None
    size = 0
    try:
        while line := await process.stdout.readline():
            size += len(line)
            if size > OUTPUT_LIMIT:
                raise LimitExceeded(f"a build wrote more than {OUTPUT_LIMIT} bytes")
            yield json.loads(line)
    except ValueError as error:
        raise LimitExceeded("the build's process wrote a line that can't be read") from error


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while piece := await stream.read(65536):
        kept = (kept + piece)[-_TAIL:]
    return kept.decode("utf-8", "replace")
