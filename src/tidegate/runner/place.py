"""A place where one job's programs run, isolated or not: it is opened, runs programs one after another, is closed.

Everything that a job starts ends with its place. A small agent inside starts the programs; what it says is not trusted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import marshal
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import Protocol

from tidegate.base.errors import CommandFailed, MissingTool, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.process import dying_with_parent, kill_group
from tidegate.network.gate import Gate, Link, Linking, close_link
from tidegate.runner.lines import LineSplitter

READY_TIMEOUT = 15.0
CLOSE_TIMEOUT = 2.0
HOST_CLOSE_TIMEOUT = 8.0
DRAIN_TIMEOUT = 0.1
DRAIN_LIMIT = 5.0
CHUNK = 64 * 1024
MESSAGE_LIMIT = 4096
ERROR_LIMIT = 4096
BATCH = 128
# As GitHub's runner ends a step: a polite word, a firm one, the end.
INTERRUPT_GRACE = 7.5
TERMINATE_GRACE = 2.5
AGENT = Path(__file__).parent / "agent.py"
PLACE_ENDED = "the job ended the process that runs its steps"

Lines = Callable[[Sequence[str]], Awaitable[None]]


@frozen
class Program:
    """A program as the place runs it. `cwd` is a path as the job sees it; `limits` are setrlimit(2) names."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    limits: Mapping[str, int] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """The form that the agent takes."""
        value = {"argv": list(self.argv), "env": dict(self.env), "cwd": self.cwd, "limits": dict(self.limits)}
        return marshal.dumps(value)


@frozen
class Start:
    """How a place is started: the argv (the agent's own arguments included), its environment, the owner of pipes, and
    how many seconds it may take. What is `detached` has ended once the place is there.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    owner: int
    on_host: bool = False
    patience: float = READY_TIMEOUT
    detached: bool = False


class Running(Protocol):
    """A program that was started in a place."""

    async def wait(self) -> int:
        """Its exit code, 128 + the signal that ended it; Unavailable where the place ended before."""
        ...

    async def stop(self) -> None:
        """End it: an interrupt, then a termination, then a kill, with time between; returns when it has ended."""
        ...


def agent_argv(*, descriptor: int, agent: str, interpreter: str, on_host: bool) -> list[str]:
    """The agent's command line."""
    return [interpreter, "-I", "-S", agent, str(descriptor), *(["host"] if on_host else [])]


@cache
def agent_program() -> Path:
    """The agent in its compiled form, which starts faster; the source where there is none and none can be made."""
    import py_compile  # noqa: PLC0415 - once, and not always

    compiled = Path(cache_from_source(str(AGENT)))
    try:
        if not compiled.exists() or compiled.stat().st_mtime < AGENT.stat().st_mtime:
            py_compile.compile(str(AGENT), str(compiled), doraise=True)
    except (OSError, py_compile.PyCompileError):
        return AGENT
    return compiled


def interpreter() -> Path:
    """This Python itself, not a virtual environment's link to it."""
    return Path(sys.executable).resolve()


class Place:
    """One job's place. Open it with `Place.open`; `close` ends all that runs in it."""

    def __init__(self, process: asyncio.subprocess.Process, connection: socket.socket, start: Start):
        self._process = process
        self._connection = connection
        self._start = start
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._next = 0
        self._reason = PLACE_ENDED
        self._ended = asyncio.Event()
        self._ready = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())
        self._draining: set[asyncio.Task[None]] = set()
        self._link: Link | None = None

    @classmethod
    async def open(cls, make: Callable[[int, int | None], Start], network: Linking | None = None) -> Place:
        """Start a place: `make` gets the descriptor number that the agent is to serve and, where it is to have a
        network outside, that of the gate at which its sandbox is to wait.

        Raises MissingTool where a program is not there, CommandFailed with the reason where it can't be set up, or
        what the network raises.
        """
        with Gate() if network is not None else contextlib.nullcontext() as gate:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            passed = (theirs.fileno(), *((gate.descriptor,) if gate else ()))
            try:
                start = make(theirs.fileno(), gate.descriptor if gate else None)
                process = await _spawn(start, passed)
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            place = cls(process, ours, start)
            try:
                if gate and network:
                    place._link = await gate.open(process.pid, network)
                await place._until_ready()
            except BaseException:
                await place.close()
                raise
        return place

    async def start(self, program: Program, lines: Lines) -> Running:
        """Start a program; what it writes comes to `lines`, stdout and stderr as one stream, in batches."""
        read_end, write_end = os.pipe()
        plan = os.memfd_create("program")
        try:
            os.write(plan, program.as_bytes())
            if os.geteuid() == 0:
                os.fchown(write_end, self._start.owner, -1)  # so that /dev/stdout can be opened by its name
            self._next += 1
            identity = self._next
            self._exits[identity] = asyncio.get_running_loop().create_future()
            socket.send_fds(self._connection, [marshal.dumps({"start": identity})], [plan, write_end])
        except OSError as error:
            os.close(read_end)
            raise Unavailable(self._reason) from error
        finally:
            os.close(plan)
            os.close(write_end)
        output = _Output(read_end, lines)
        reading = asyncio.create_task(output.read())
        self._draining.add(reading)
        reading.add_done_callback(self._draining.discard)
        return _Running(self, identity, self._exits[identity], output, reading)

    async def close(self) -> None:
        """End everything in the place and wait until it has ended. Cancelled, it lets go of all that is its own."""
        # Not closed yet: the loop still waits on its descriptor, and would take the next file of that number for it.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        timeout = HOST_CLOSE_TIMEOUT if self._start.on_host else CLOSE_TIMEOUT
        link, self._link = self._link, None
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._process.wait()), timeout)
        finally:
            try:
                # Of one that is detached the number may be another's by now.
                if not (self._start.detached and self._process.returncode is not None):
                    await kill_group(self._process)
            finally:
                self._let_go()
                await close_link(link)
        await asyncio.gather(self._listening, *self._draining, return_exceptions=True)

    def _let_go(self) -> None:
        """End what listens, and close the connection, which the loop must not wait on any more."""
        self._listening.cancel()
        for task in list(self._draining):
            task.cancel()
        if self._connection.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
        self._connection.close()

    @property
    def pid(self) -> int:
        """The process from which all others of the place come."""
        return self._process.pid

    @property
    def ended_because(self) -> str:
        """Why the place was ended before its time; empty where it was not."""
        return "" if self._reason == PLACE_ENDED else self._reason

    def end(self, reason: str) -> None:
        """End everything in the place at once; whoever waits for a program gets the reason. Close it all the same."""
        self._reason = reason
        if self._start.on_host:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        elif self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def signal(self, identity: int, number: int) -> None:
        """Pass a signal on to a program's process group; nothing happens where the place has ended."""
        with contextlib.suppress(OSError):
            self._connection.send(marshal.dumps({"id": identity, "signal": int(number)}))

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(self._start.patience):
                await self._ready
        except TimeoutError:
            late = f"the job's place was not ready after {self._start.patience:g} s"
            raise CommandFailed(late, exit_code=None) from None
        except Unavailable:
            raise await self._setup_failure() from None

    async def _setup_failure(self) -> CommandFailed:
        assert self._process.stderr is not None
        text = (await self._process.stderr.read(ERROR_LIMIT)).decode("utf-8", "replace").strip()
        code = await self._process.wait()
        reason = text.splitlines()[-1].removeprefix("tidegate: ") if text else f"it ended with {code}"
        return CommandFailed(f"the job's place can't be made: {reason}", exit_code=code, output=text)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._connection, MESSAGE_LIMIT):
                self._heard(data)
                await asyncio.sleep(0)  # one who says a great deal must not keep the others waiting
        except OSError:
            pass
        finally:
            self._end()

    def _heard(self, data: bytes) -> None:
        try:
            message = json.loads(data)
            identity, code = message.get("id"), message.get("exit")
        except (ValueError, AttributeError, RecursionError):
            return  # only a job that plays the agent says such a thing
        if message.get("ready") is True and not self._ready.done():
            self._ready.set_result(None)
        elif isinstance(identity, int) and isinstance(code, int) and identity in self._exits:
            future = self._exits.pop(identity)
            if not future.done():
                future.set_result(code)

    def _end(self) -> None:
        self._ended.set()
        for future in (self._ready, *self._exits.values()):
            if not future.done():
                future.set_exception(Unavailable(self._reason))
                future.exception()  # whoever waits gets it; where nobody does, that is no fault
        self._exits.clear()


class _Running:
    """The handle of a program in a Place."""

    def __init__(
        self, place: Place, identity: int, exited: asyncio.Future[int], output: _Output, reading: asyncio.Task[None]
    ):
        self._place = place
        self._identity = identity
        self._exited = exited
        self._output = output
        self._reading = reading

    async def wait(self) -> int:
        try:
            code = await asyncio.shield(self._exited)
        except Unavailable:
            await self._drain()
            raise
        await self._drain()
        return code

    async def stop(self) -> None:
        for number, patience in ((signal.SIGINT, INTERRUPT_GRACE), (signal.SIGTERM, TERMINATE_GRACE)):
            self._place.signal(self._identity, number)
            if await self._ends_within(patience):
                await self._drain()
                return
        self._place.signal(self._identity, signal.SIGKILL)
        if not await self._ends_within(TERMINATE_GRACE) and not self._exited.done():
            self._exited.set_exception(Unavailable("the job keeps its own steps from being ended"))
            self._exited.exception()
        await self._drain()

    async def _ends_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self._exited], timeout=seconds)
        return bool(done)

    async def _drain(self) -> None:
        """What the program wrote before it ended, even where something that it left behind still holds the pipe."""
        deadline = time.monotonic() + DRAIN_LIMIT
        while not self._reading.done() and time.monotonic() < deadline:
            seen = self._output.chunks
            await asyncio.wait([self._reading], timeout=DRAIN_TIMEOUT)
            if self._output.chunks == seen:
                break
        await self._output.let_go()


class _Output:
    """Reads one program's output to its end; after `let_go` it is only read, so that no writer is stopped by it."""

    def __init__(self, descriptor: int, lines: Lines):
        self._descriptor = descriptor
        self._lines: Lines | None = lines
        self._splitter = LineSplitter()
        self.chunks = 0

    async def read(self) -> None:
        reader = asyncio.StreamReader(limit=CHUNK)
        pipe = os.fdopen(self._descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while chunk := await reader.read(CHUNK):
                self.chunks += 1
                await self._pass_on(self._splitter.feed(chunk))
            await self._pass_on(self._splitter.end())
        finally:
            transport.close()

    async def let_go(self) -> None:
        await self._pass_on(self._splitter.end())
        self._lines = None

    async def _pass_on(self, lines: list[str]) -> None:
        for start in range(0, len(lines), BATCH):
            if self._lines is None:
                return
            await self._lines(lines[start : start + BATCH])
            await asyncio.sleep(0)  # a flood of lines must not keep the others waiting


async def _spawn(start: Start, passed: Sequence[int]) -> asyncio.subprocess.Process:
    try:
        # On the host the agent outlives a killed server for a moment: it ends what the job left.
        plain: tuple[list[str], Callable[[], None] | None] = (list(start.argv), None)
        command, preexec_fn = plain if start.on_host else dying_with_parent(start.argv, start.env)
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(start.env),
            pass_fds=passed,
            start_new_session=True,
            preexec_fn=preexec_fn,
        )
    except FileNotFoundError as error:
        name = Path(start.argv[0]).name
        raise MissingTool(f"the program {name!r} is not installed", remedy="apt-get install util-linux") from error
