"""Why a workload is not ready, as it is told in a commit, an event and an annotation: an image that can't be pulled, a
crash with the last lines of its log, a probe that fails. Secrets are hidden before anything is told. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.base.masking import MASK, Masker
from tidegate.base.showing import without_escapes
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import Object
from tidegate.kinds.pods import is_ready, trouble
from tidegate.update.rollback.workloads import Rollout, containers_of

LINES = 10
"""Lines of a log that are told."""
LONGEST_LINE = 200
SHORTEST_SECRET = 6
"""A shorter value of a Secret is no secret by itself: hiding every `true` or `5432` would leave nothing to read."""
SHORTEST_SETTING = 8
"""The same for a value in a file of settings, among which there are names of hosts and the like."""
SETTINGS_LIMIT = 100
_SETTING = re.compile(
    r"""^ [^\S\n]* (?:-[ ]|export[ ])? ["']? [\w.-]+ ["']? [^\S\n]* [:=] [^\S\n]* (?P<value> [^\n]+ )
      | (?<=[{,]) [^\S\n]* "[\w.-]+" [^\S\n]* : [^\S\n]* (?P<quoted> "[^"\n]+" )""",
    re.MULTILINE | re.VERBOSE,
)
_PEM = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")
_NAMED = re.compile(
    r"""(?ix) ( [\w.-]* (?: password | passwd | pwd | secret | token | api[_-]?key | access[_-]?key | private[_-]?key
        | credential | authorization | cookie | session ) [\w.-]* ["']? \s* (?: [:=] | => ) \s* )
        ( (?: (?: basic | bearer | token ) \s+ )? (?: "[^"]*" | '[^']*' | [^\s,;&"']+ ) )"""
)
_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@")
_BEARER = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9._~+/=-]{8,}")
_TOKEN = re.compile(
    r"\b(?:eyJ[\w-]+\.[\w-]+\.[\w-]*|gh[a-z]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|xox[a-z]-[\w-]{10,}"
    r"|AKIA[0-9A-Z]{16}|sk-[\w-]{20,})"
)
_LONG = re.compile(r"(?<![\w/+.:@-])(?!sha256)(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Z])[A-Za-z0-9+/_-]{32,}=*")


@frozen
class Crash:
    """A container that has ended and is started again, whose log is worth a look."""

    namespace: str
    pod: str
    container: str
    restarted: bool


def crashes(rollout: Rollout, pods: Iterable[Object]) -> list[Crash]:
    """The containers of its newest pod that have crashed."""
    found = []
    for pod in _failing(rollout, pods)[:1]:
        metadata = pod["metadata"]
        for container in _statuses(pod):
            ended = _ended(container)
            if ended.get("exitCode"):
                again = "terminated" not in mapping(container.get("state"))
                found.append(Crash(metadata["namespace"], metadata["name"], str(container.get("name")), again))
    return found


@frozen
class Seen:
    """What was found out about a workload: the pods and the events of its namespace, and the last lines of the logs of
    its containers, by their names.
    """

    pods: Sequence[Object]
    events: Sequence[Object] = ()
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)


def cause(rollout: Rollout, seen: Seen, masker: Masker) -> str:
    """Why a workload is not ready: what it says of itself, and what its newest pod does."""
    pods, logs = seen.pods, seen.logs
    lines = [f"{rollout.key} was not ready: {rollout.health.message}"]
    for pod in _failing(rollout, pods)[:1]:
        if told := trouble(_without_logs(pod, logs)):
            lines.append(told)
        else:
            lines.append(f"{pod['metadata']['name']}: {_unready(rollout, pod, seen.events)}")
        for name, said in logs.items():
            lines += [f"the last lines of its container {name}:", *(f"  {line}" for line in said[-LINES:])]
    return "\n".join(_short(hidden(line, masker)) for line in lines)


def last_words(pod: Object, container: str) -> list[str]:
    """The last lines that a crashed container's status itself has; where it has none, its log has to be asked."""
    for status in _statuses(pod):
        if status.get("name") == container:
            return [line for line in str(_ended(status).get("message") or "").splitlines() if line.strip()]
    return []


def hidden(line: str, masker: Masker) -> str:
    """A line of a log without what is known to be secret, and without what looks so: it stands in Git for good."""
    line = without_escapes(line)  # a colour's last letter would be the first of what follows
    if _PEM.search(line):
        return MASK
    text = masker.mask(line)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    text = _NAMED.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _LONG.sub(MASK, _TOKEN.sub(MASK, text))


def secret_names(pod_spec: Mapping[str, Any]) -> dict[str, bool]:
    """The Secrets that a pod is given, whose values its log may show; whether it can't begin without each."""
    given: list[tuple[Mapping[str, Any], str]] = []
    for container in containers_of(pod_spec):
        given += [(mapping(mapping(one).get("secretRef")), "name") for one in container.get("envFrom") or []]
        values = (mapping(mapping(one).get("valueFrom")) for one in container.get("env") or [])
        given += [(mapping(one.get("secretKeyRef")), "name") for one in values]
    for volume in map(mapping, pod_spec.get("volumes") or []):
        given.append((mapping(volume.get("secret")), "secretName"))
        projected = mapping(volume.get("projected")).get("sources") or []
        given += [(mapping(mapping(one).get("secret")), "name") for one in projected]
    names: dict[str, bool] = {}
    for reference, field_name in given:
        if name := reference.get(field_name):
            names[str(name)] = names.get(str(name), False) or reference.get("optional") is not True
    return dict(sorted(names.items()))


def secret_values(secret: Object) -> Iterator[str]:
    """The values of a Secret that are worth hiding."""
    for value in mapping(secret.get("data")).values():
        try:
            text = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, ValueError):
            continue
        if len(text.strip()) >= SHORTEST_SECRET:
            yield text
            yield from _settings(text)


def _settings(text: str) -> Iterator[str]:
    """What a file of settings in a Secret holds: the values of `NAME=VALUE`, `name: value` and `"name": "value"`."""
    for found in islice(_SETTING.finditer(text), SETTINGS_LIMIT):
        value = (found["value"] or found["quoted"]).strip().rstrip(",").strip("\"'")
        if len(value) >= SHORTEST_SETTING:
            yield value


def _failing(rollout: Rollout, pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in rollout.own(pods) if not is_ready(pod)]


def _unready(rollout: Rollout, pod: Object, events: Iterable[Object]) -> str:
    """What is said of a pod that runs and is not ready: by the newest event about it, else by its probe."""
    uid, name = pod["metadata"].get("uid"), pod["metadata"]["name"]
    about = [
        event
        for event in events
        if event.get("type") == "Warning"
        and mapping(event.get("involvedObject")).get("name") == name
        and mapping(event.get("involvedObject")).get("uid") in (uid, None)
    ]
    if about:
        newest = max(about, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        return f"{newest.get('reason')}: {' '.join(str(newest.get('message', '')).split())}"
    for container in containers_of(mapping(pod.get("spec"))):
        if container.get("name") in rollout.containers and (probe := mapping(container.get("readinessProbe"))):
            return f"it runs, but the readiness probe of {container['name']} fails ({_probe(probe)})"
    return f"it is not ready, in phase {mapping(pod.get('status')).get('phase', 'unknown')}"


def _probe(probe: Mapping[str, Any]) -> str:
    if get := mapping(probe.get("httpGet")):
        return f"GET {get.get('path') or '/'} on port {get.get('port')}"
    if tcp := mapping(probe.get("tcpSocket")):
        return f"a connection to port {tcp.get('port')}"
    if grpc := mapping(probe.get("grpc")):
        return f"gRPC on port {grpc.get('port')}"
    return "a command" if probe.get("exec") else "of an unknown kind"


def _statuses(pod: Object) -> Iterator[Mapping[str, Any]]:
    status = mapping(pod.get("status"))
    for name in ("initContainerStatuses", "containerStatuses"):
        yield from (mapping(one) for one in status.get(name) or [])


def _ended(container: Mapping[str, Any]) -> Mapping[str, Any]:
    now = mapping(mapping(container.get("state")).get("terminated"))
    return now or mapping(mapping(container.get("lastState")).get("terminated"))


def _without_logs(pod: Object, logs: Mapping[str, Sequence[str]]) -> Object:
    """The pod without the messages of containers whose log is told line by line."""
    status = dict(mapping(pod.get("status")))
    for name in ("initContainerStatuses", "containerStatuses"):
        if name in status:
            status[name] = [_silent(one) if one.get("name") in logs else one for one in status[name] or []]
    return {**pod, "status": status}


def _silent(container: Mapping[str, Any]) -> dict[str, Any]:
    quiet = dict(container)
    for name in ("state", "lastState"):
        if ended := mapping(mapping(container.get(name)).get("terminated")):
            quiet[name] = {"terminated": {key: value for key, value in ended.items() if key != "message"}}
    return quiet


def _short(line: str) -> str:
    text = "".join(char if char.isprintable() else " " for char in line)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"
