"""Reconciles Service: each port becomes a stable port on loopback, told in the annotation `tidegate.dev/url`."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.engine.outcome import Context, Handled, Outcome, Stalled, Trigger
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.runtime.fleet import Fleet
from tidegate.runtime.proxy import ADDRESS, Proxy, Target
from tidegate.runtime.supported import unsupported

MANAGER = "service-controller"
URL = "tidegate.dev/url"
PORTS = "tidegate.dev/ports"
"""The annotation that keeps, as JSON, the loopback port of each of a Service's ports by its number."""
FIRST, COUNT = 20_000, 10_000
"""The range of ports: below the node ports, and below those that the kernel gives to outgoing connections."""
RETRY = 5.0
PORTS_LIMIT = 100
_HTTPS_PORTS = (443, 8443)


class ServiceController:
    """Services of one machine."""

    name = MANAGER
    group = ""
    kind = "Service"
    triggers: Sequence[Trigger] = ()

    def __init__(self, fleet: Fleet):
        self._fleet = fleet
        self._proxies: dict[ObjectKey, dict[int, Proxy]] = {}

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Open what the spec asks for, close the rest, and say where."""
        key, spec = key_of(obj), obj.get("spec") or {}
        if obj["metadata"].get("deletionTimestamp") or unsupported(obj):
            await self.forget(key)
            return Handled()
        try:
            ports = read_ports(spec)
        except InvalidInput as error:
            await self.forget(key)
            return Stalled("InvalidSpec", error.explain())
        before = self._proxies.setdefault(key, {})
        for number in [number for number in before if number not in ports]:
            await before.pop(number).close()
        kept = kept_ports(obj)
        taken = await self._reserved(key, ctx)
        problems = []
        for number, port in ports.items():
            target = Target(key.namespace, spec.get("selector") or {}, port.get("targetPort") or number)
            problem = await self._open(before, number, port, target, kept.get(number), key, taken)
            if problem:
                problems.append(problem)
                await ctx.events.warning(obj, "PortTaken", problem)
        await self._tell(obj, ports, before, ctx)
        return Handled(requeue_after=RETRY if problems else None)

    async def _open(
        self,
        proxies: dict[int, Proxy],
        number: int,
        port: Mapping[str, Any],
        target: Target,
        kept: int | None,
        key: ObjectKey,
        taken: set[int],
    ) -> str | None:
        """Have a proxy for one port; what went wrong, if anything did."""
        wished = port.get("nodePort")
        present = proxies.get(number)
        if present is not None and (not wished or present.port in (wished, kept)):
            present.target = target
            return None
        if present is not None:
            await proxies.pop(number).close()
        problem = None
        for candidate in _candidates(wished, kept, f"{key}:{number}", taken):
            try:
                proxies[number] = Proxy.listen(candidate, self._fleet, target)
            except OSError as error:
                if candidate in (wished, kept):
                    problem = f"port {candidate} for {key} can't be had: {error.strerror}"
                if candidate == kept and candidate != wished:
                    return problem  # the address is a promise: it is tried again rather than changed
                continue
            return problem if candidate != wished and wished else None
        return problem or f"no port from {FIRST} to {FIRST + COUNT - 1} is free for {key}"

    async def _reserved(self, key: ObjectKey, ctx: Context) -> set[int]:
        """Ports that other Services have been given, also those that are not open yet."""
        services = (await ctx.store.list("", "Service")).items
        return {port for item in services if key_of(item) != key for port in kept_ports(item).values()}

    async def _tell(self, obj: Object, ports: Mapping[int, Any], proxies: Mapping[int, Proxy], ctx: Context) -> None:
        given = {str(number): proxy.port for number, proxy in sorted(proxies.items())}
        first = next((number for number in ports if number in proxies), None)
        wanted = {PORTS: json.dumps(given) if given else None, URL: None}
        if first is not None:
            wanted[URL] = f"{_scheme(first, ports[first])}://{ADDRESS}:{proxies[first].port}"
        if any(annotation(obj, name) != value for name, value in wanted.items()):
            with contextlib.suppress(NotFound):
                patch = {"metadata": {"uid": obj["metadata"]["uid"], "annotations": wanted}}
                await ctx.store.patch(key_of(obj), patch, manager=MANAGER)

    async def forget(self, key: ObjectKey) -> None:
        """A Service is gone: close its ports."""
        for proxy in self._proxies.pop(key, {}).values():
            await proxy.close()

    async def sweep(self, stored: set[ObjectKey]) -> None:
        """Close the ports of Services that are gone without notice."""
        for key in [key for key in self._proxies if key not in stored]:
            await self.forget(key)

    async def close(self) -> None:
        """Close all ports."""
        await self.sweep(set())


def read_ports(spec: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """A Service's ports by their number. InvalidInput names the field, also of a selector that can't be one."""
    if not isinstance(spec.get("selector"), Mapping | None):
        raise InvalidInput("spec.selector is no map", where=Where(field="spec.selector"))
    ports = spec.get("ports") or []
    if not isinstance(ports, list) or len(ports) > PORTS_LIMIT:
        raise InvalidInput(f"spec.ports is no list of at most {PORTS_LIMIT} ports", where=Where(field="spec.ports"))
    found: dict[int, Mapping[str, Any]] = {}
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        if not isinstance(port, Mapping) or not _is_port(port.get("port")):
            raise InvalidInput(f"{field}.port is no number from 1 to 65535", where=Where(field=f"{field}.port"))
        if port.get("nodePort") and not _is_port(port["nodePort"]):
            raise InvalidInput(f"{field}.nodePort is no number from 1 to 65535", where=Where(field=f"{field}.nodePort"))
        if not isinstance(port.get("targetPort"), int | str | None):
            raise InvalidInput(f"{field}.targetPort is no number or name", where=Where(field=f"{field}.targetPort"))
        found[port["port"]] = port
    return found


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def kept_ports(obj: Object) -> dict[int, int]:
    """The loopback ports that a Service was given before; what a person broke there counts as nothing."""
    try:
        value = json.loads(annotation(obj, PORTS) or "{}")
        return {int(number): int(port) for number, port in value.items() if 0 < int(port) < 65536}
    except (ValueError, TypeError, AttributeError):
        return {}


def _candidates(wished: int | None, kept: int | None, name: str, taken: set[int]) -> list[int]:
    """Ports to try: the nodePort, the one it had, then from a place that its name decides."""
    first = [port for port in (wished, kept) if port]
    start = zlib.crc32(name.encode()) % COUNT
    rest = (FIRST + (start + step) % COUNT for step in range(200))
    return [*first, *(port for port in rest if port not in taken and port not in first)]


def _scheme(number: int, port: Mapping[str, Any]) -> str:
    named = str(port.get("appProtocol") or port.get("name") or "").lower()
    return "https" if named.startswith("https") or (not named and number in _HTTPS_PORTS) else "http"
