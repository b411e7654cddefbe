"""Asks a running container whether it is ready or alive, as the kubelet does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from tidegate.base.errors import TidegateError, Unavailable
from tidegate.runtime.container import Container
from tidegate.runtime.podspec import Action, Port, Probe, port_number

QUICK = 0.1
"""Seconds between questions until the first good answer, whatever the period: a start must not wait for a tick."""


async def act(action: Action, container: Container, ports: tuple[Port, ...], timeout: float) -> None:
    """Do it; Unavailable says why the answer was not a good one."""
    try:
        async with asyncio.timeout(timeout):
            if action.kind == "exec":
                code = await container.execute(action.command, timeout)
                if code != 0:
                    raise Unavailable(f"the command ended with {code}")
            elif action.kind == "sleep":
                await asyncio.sleep(action.seconds)
            else:
                await _connect(action, container, ports)
    except TimeoutError:
        raise Unavailable(f"no answer in {timeout:g} s") from None
    except OSError as error:
        raise Unavailable(f"the connection broke: {error}") from None


async def _connect(action: Action, container: Container, ports: tuple[Port, ...]) -> None:
    port = port_number(ports, action.port)
    if port is None:
        raise Unavailable(f"no containerPort is called {action.port!r}")
    connection = await container.dial(port)
    if action.kind == "tcp":
        connection.close()
        return
    context = None
    if action.scheme == "HTTPS":
        # As the kubelet: a probe asks whether something answers, not who it is.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = "" if context else None
    reader, writer = await asyncio.open_connection(sock=connection, ssl=context, server_hostname=name)
    try:
        writer.write(_request(action, port))
        await writer.drain()
        status = _status(await reader.readline())
        if not 200 <= status < 400:
            raise Unavailable(f"HTTP probe failed with statuscode: {status}")
    except (ValueError, asyncio.LimitOverrunError):
        raise Unavailable("the answer is not HTTP") from None
    finally:
        writer.transport.abort()


def _request(action: Action, port: int) -> bytes:
    given = {name.lower() for name, _ in action.headers}
    own = [
        ("Host", f"127.0.0.1:{port}"),
        ("User-Agent", "kube-probe/tidegate"),
        ("Accept", "*/*"),
        ("Connection", "close"),
    ]
    headers = [*action.headers, *(pair for pair in own if pair[0].lower() not in given)]
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode()


def _status(line: bytes) -> int:
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise ValueError(line)
    return int(words[1])


async def watch(
    probe: Probe,
    container: Container,
    ports: tuple[Port, ...],
    *,
    eager: bool,
    sleep: Callable[[float], Awaitable[None]],
    changed: Callable[[bool, str], None],
) -> None:
    """Ask again and again; `changed` hears each turn: to good, and after `failureThreshold` bad answers to bad.

    With `eager` the first good answer is found as soon as there is one, while bad ones still count by the period.
    """
    await sleep(probe.initial_delay)
    state: bool | None = None
    good, bad, waited = 0, 0, 0.0
    while True:
        try:
            await act(probe.action, container, ports, probe.timeout)
            good, bad, why = good + 1, 0, ""
        except TidegateError as error:
            why = error.message
            good, bad = 0, bad + 1 if waited == 0 else bad
        if good >= probe.successes and state is not True:
            state = True
            changed(state, "")
        elif bad >= probe.failures and state is not False:
            state = False
            changed(state, why)
        pause = quick(probe) if eager and state is not True else probe.period
        await sleep(pause)
        waited = waited + pause if waited + pause < probe.period else 0.0


def quick(probe: Probe) -> float:
    """A pause between eager questions; starting a command costs more than asking a port."""
    return min(float(probe.period), QUICK if probe.action.kind != "exec" else 5 * QUICK)
