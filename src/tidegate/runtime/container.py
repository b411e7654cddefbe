"""One running container: its processes, its log, the way into its network. The one place here that starts processes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import Sequence

from tidegate.base.errors import TidegateError, Unavailable
from tidegate.base.process import die_with_parent, kill_group
from tidegate.base.sandbox import Capabilities, Sandbox, argv, environment
from tidegate.network.gate import Gate, Link, Linking, close_link
from tidegate.runtime.control import Control
from tidegate.runtime.logs import LogWriter

_PIECE = 64 * 1024
# A container that writes without end gets about 5 MiB/s, so that it can't take the event loop for itself.
_PIECES_IN_A_ROW = 4
_PAUSE = 0.05
_LAST_WORDS = 1.0


class Container:
    """A container from its start to its end. `connections` counts what the proxy has open to it."""

    def __init__(self, process: asyncio.subprocess.Process, control: Control, pump: _Pump, *, own_network: bool):
        self._process = process
        self._control = control
        self._pump = pump
        self._own_network = own_network
        self._link: Link | None = None
        self.connections = 0

    @classmethod
    async def start(
        cls,
        spec: Sandbox,
        capabilities: Capabilities,
        command: Sequence[str],
        log: LogWriter,
        network: Linking | None = None,
    ) -> Container:
        """Start `command` as `spec` says; what it writes goes to `log`, and `network` gives it its way out. Raises
        MissingTool, Unavailable, or what the network raises.
        """
        with Gate() if network is not None else contextlib.nullcontext() as gate:
            gate_end = gate.descriptor if gate else None
            container = await cls._spawn(dataclasses.replace(spec, gate=gate_end), capabilities, command, log)
            if gate and network:
                await container.connect(gate, network)
        return container

    @classmethod
    async def _spawn(
        cls, spec: Sandbox, capabilities: Capabilities, command: Sequence[str], log: LogWriter
    ) -> Container:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        read_end, write_end = os.pipe()
        spec = dataclasses.replace(spec, control=theirs.fileno())
        try:
            process = await asyncio.create_subprocess_exec(
                *argv(spec, capabilities, command),
                env=environment(spec, capabilities),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
                preexec_fn=die_with_parent,
                pass_fds=tuple(end for end in (spec.control, spec.gate) if end is not None),
            )
        except BaseException as error:
            ours.close()
            os.close(read_end)
            if isinstance(error, OSError):
                message = f"the container can't be started: {error.strerror}"
                raise Unavailable(message, code="RunContainerError") from None
            raise
        finally:
            theirs.close()
            os.close(write_end)
        return cls(process, Control(ours), _Pump(read_end, log), own_network=spec.network == "none")

    async def connect(self, gate: Gate, network: Linking) -> None:
        """Give it its way out, and let it begin. Where there is none, it ends. Raises what the network raises."""
        try:
            self._link = await gate.open(self._process.pid, network)
        except BaseException as error:
            await self.kill()
            await self.wait()
            if isinstance(error, TidegateError):
                raise error.under("RunContainerError") from None
            raise

    async def dial(self, port: int) -> socket.socket:
        """A connection to one of its ports. Raises Unavailable."""
        if self._own_network:
            return await self._control.dial(port)
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except OSError as error:
            connection.close()
            raise Unavailable(f"port {port} does not answer: {error.strerror}") from None
        return connection

    async def execute(self, command: tuple[str, ...], timeout: float) -> int:
        """Run a command beside it; its exit code."""
        return await self._control.execute(command, timeout)

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end."""
        self._control.signal(number)

    async def kill(self) -> None:
        """End everything in it now."""
        self._control.close()
        try:
            await kill_group(self._process)
        finally:
            await self._unlink()

    async def wait(self) -> int:
        """Its exit code, once it has ended and its log is complete."""
        code = await self._process.wait()
        self._control.close()
        await self._unlink()
        await self._pump.finish()
        return code if code >= 0 else 128 - code

    async def _unlink(self) -> None:
        link, self._link = self._link, None
        await close_link(link)


class _Pump:
    """From the pipe to the log, at a bounded pace."""

    def __init__(self, end: int, log: LogWriter):
        self._end = end
        self._log = log
        self._ended = asyncio.Event()
        self._pieces = 0
        self._resume: asyncio.TimerHandle | None = None
        os.set_blocking(end, False)
        asyncio.get_running_loop().add_reader(end, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._end, _PIECE)
        except BlockingIOError:
            return
        if not data:
            self._stop()
            return
        self._log.write(data)
        self._pieces = self._pieces + 1 if len(data) == _PIECE else 0
        if self._pieces >= _PIECES_IN_A_ROW:
            self._pieces = 0
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._end)
            self._resume = loop.call_later(_PAUSE, loop.add_reader, self._end, self._readable)

    def _stop(self) -> None:
        if self._ended.is_set():
            return
        if self._resume is not None:
            self._resume.cancel()
        asyncio.get_running_loop().remove_reader(self._end)
        os.close(self._end)
        self._log.close()
        self._ended.set()

    async def finish(self) -> None:
        """Wait for the end of what was written, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._ended.wait()
        self._stop()
