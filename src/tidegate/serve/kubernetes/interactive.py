"""What kubectl asks of a Pod besides objects (a command, a port): none is served, and the way out is said. Pure."""

from __future__ import annotations

from tidegate.serve.kubernetes.status import MethodNotAllowed
from tidegate.serve.kubernetes.target import Path

_COMMANDS = (
    "no command is run inside a workload here; kubectl logs shows what it writes, and its image can be run by itself: "
    "podman run -it --entrypoint sh IMAGE"
)
_PORTS = (
    "no port is forwarded here, because none needs to be: each port of a Service answers on this machine, where its "
    "annotation tidegate.dev/url says (tidegate status)"
)
_HINTS = {"exec": _COMMANDS, "attach": _COMMANDS, "portforward": _PORTS, "proxy": _PORTS}


def refuse_interactive(path: Path) -> None:
    """Raise MethodNotAllowed, with what can be done instead, for such a request."""
    if path.group == "" and path.plural in ("pods", "services") and path.subresource in _HINTS:
        raise MethodNotAllowed(_HINTS[path.subresource])
