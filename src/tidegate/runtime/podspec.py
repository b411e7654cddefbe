"""A pod template's JSON as values that the runtime acts on, with Kubernetes' defaults. Pure; wrong fields are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, NoReturn

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen

DEFAULT_GRACE = 30
_LARGEST_ID = 65535


@frozen
class Port:
    """A containerPort; `name` may be empty."""

    number: int
    name: str = ""


@frozen
class Action:
    """Something done to a container: `kind` is `http`, `tcp`, `exec` or `sleep` (`seconds`)."""

    kind: str
    port: int | str = 0
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    seconds: int = 0


@frozen
class Probe:
    """How and when a container is asked; times are in seconds."""

    action: Action
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    successes: int = 1
    failures: int = 3


@frozen
class Source:
    """Where a value comes from: a `ConfigMap` or `Secret` (`name`, `key`), or a `field` of the pod (`key`)."""

    kind: str
    name: str
    key: str = ""
    optional: bool = False
    prefix: str = ""


@frozen
class Variable:
    """One entry of `env`: a literal `value` (with `$(VAR)` in it) or a `source`."""

    name: str
    value: str = ""
    source: Source | None = None


@frozen
class Mount:
    """One entry of `volumeMounts`."""

    volume: str
    path: str
    read_only: bool = False
    sub_path: str = ""


@frozen
class Volume:
    """One entry of `volumes`: `emptyDir`, `hostPath`, `configMap` or `secret`, and that field's own object."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(hash=False)


@frozen
class Container:
    """The one container of a pod."""

    name: str
    image: str
    pull_policy: str
    command: tuple[str, ...] | None
    args: tuple[str, ...] | None
    working_dir: str
    env: tuple[Variable, ...]
    env_from: tuple[Source, ...]
    ports: tuple[Port, ...]
    mounts: tuple[Mount, ...]
    readiness: Probe | None
    liveness: Probe | None
    startup: Probe | None
    pre_stop: Action | None
    user: int | None
    group: int | None
    non_root: bool
    read_only_root: bool
    dropped: frozenset[str]
    limited: bool


@frozen
class PodSpec:
    """What one pod runs and how it ends; `architecture` is None for this machine's own."""

    container: Container
    volumes: tuple[Volume, ...]
    grace: int
    hostname: str
    supplemental_groups: tuple[int, ...]
    pull_secrets: tuple[str, ...]
    architecture: str | None


def read_pod(spec: object, where: str = "spec") -> PodSpec:
    """Read a pod's spec; InvalidInput names the field that is wrong."""
    pod = _map(spec, where)
    containers = _list(pod.get("containers"), f"{where}.containers")
    if not containers:
        _wrong(f"{where}.containers", "has no container")
    security = _map(pod.get("securityContext") or {}, f"{where}.securityContext")
    selector = _map(pod.get("nodeSelector") or {}, f"{where}.nodeSelector")
    groups = [*(security.get("supplementalGroups") or []), *([security["fsGroup"]] if "fsGroup" in security else [])]
    grace = pod.get("terminationGracePeriodSeconds")
    volumes = _list(pod.get("volumes") or [], f"{where}.volumes")
    result = PodSpec(
        container=_container(containers[0], security, f"{where}.containers[0]"),
        volumes=tuple(_volume(volume, f"{where}.volumes[{at}]") for at, volume in enumerate(volumes)),
        grace=DEFAULT_GRACE if grace is None else _number(grace, f"{where}.terminationGracePeriodSeconds"),
        hostname=_text(pod.get("hostname") or "", f"{where}.hostname"),
        supplemental_groups=tuple(_number(group, f"{where}.securityContext", _LARGEST_ID) for group in groups),
        pull_secrets=tuple(
            _text(_map(item, where).get("name"), f"{where}.imagePullSecrets")
            for item in pod.get("imagePullSecrets") or []
        ),
        architecture=selector.get("kubernetes.io/arch"),
    )
    known = {volume.name for volume in result.volumes}
    for at, mount in enumerate(result.container.mounts):
        if mount.volume not in known:
            _wrong(f"{where}.containers[0].volumeMounts[{at}].name", f"names no volume: {mount.volume!r}")
    return result


def _container(value: object, pod_security: Mapping[str, Any], where: str) -> Container:
    fields = _map(value, where)
    security = dict(pod_security) | _map(fields.get("securityContext") or {}, f"{where}.securityContext")
    image = _text(fields.get("image"), f"{where}.image")
    resources = _map(fields.get("resources") or {}, f"{where}.resources")
    lifecycle = _map(fields.get("lifecycle") or {}, f"{where}.lifecycle")
    dropped = _map(security.get("capabilities") or {}, f"{where}.securityContext").get("drop") or []
    return Container(
        name=_text(fields.get("name"), f"{where}.name"),
        image=image,
        pull_policy=_text(fields.get("imagePullPolicy") or _default_policy(image), f"{where}.imagePullPolicy"),
        command=_words(fields.get("command"), f"{where}.command"),
        args=_words(fields.get("args"), f"{where}.args"),
        working_dir=_text(fields.get("workingDir") or "", f"{where}.workingDir"),
        env=tuple(
            _variable(item, f"{where}.env[{at}]")
            for at, item in enumerate(_list(fields.get("env") or [], f"{where}.env"))
        ),
        env_from=tuple(
            _env_from(item, f"{where}.envFrom[{at}]")
            for at, item in enumerate(_list(fields.get("envFrom") or [], f"{where}.envFrom"))
        ),
        ports=tuple(
            _port(item, f"{where}.ports[{at}]")
            for at, item in enumerate(_list(fields.get("ports") or [], f"{where}.ports"))
        ),
        mounts=tuple(
            _mount(item, f"{where}.volumeMounts[{at}]")
            for at, item in enumerate(_list(fields.get("volumeMounts") or [], f"{where}.volumeMounts"))
        ),
        readiness=_probe(fields.get("readinessProbe"), f"{where}.readinessProbe"),
        liveness=_probe(fields.get("livenessProbe"), f"{where}.livenessProbe"),
        startup=_probe(fields.get("startupProbe"), f"{where}.startupProbe"),
        pre_stop=_action(lifecycle["preStop"], f"{where}.lifecycle.preStop") if lifecycle.get("preStop") else None,
        user=_optional_id(security.get("runAsUser"), f"{where}.securityContext.runAsUser"),
        group=_optional_id(security.get("runAsGroup"), f"{where}.securityContext.runAsGroup"),
        non_root=security.get("runAsNonRoot") is True,
        read_only_root=security.get("readOnlyRootFilesystem") is True,
        dropped=frozenset(str(name) for name in dropped),
        limited=bool(resources.get("limits")),
    )


def _default_policy(image: str) -> str:
    """Kubernetes: Always for `latest` and for no tag at all, else IfNotPresent."""
    name = image.rpartition("/")[2]
    tagged = "@" in name or (":" in name and not name.endswith(":latest"))
    return "IfNotPresent" if tagged else "Always"


def _variable(value: object, where: str) -> Variable:
    fields = _map(value, where)
    name = _text(fields.get("name"), f"{where}.name")
    if "=" in name or "\0" in name:
        _wrong(f"{where}.name", f"{name!r} is no name of a variable")
    origin = fields.get("valueFrom")
    if origin is None:
        return Variable(name, _text(fields.get("value") or "", f"{where}.value"))
    for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if key in origin:
            wanted = _map(origin[key], f"{where}.valueFrom.{key}")
            origin_name, entry = (
                _text(wanted.get(part), f"{where}.valueFrom.{key}.{part}") for part in ("name", "key")
            )
            source = Source(kind, origin_name, entry, optional=wanted.get("optional") is True)
            return Variable(name, source=source)
    path = _map(origin.get("fieldRef"), f"{where}.valueFrom").get("fieldPath")
    return Variable(name, source=Source("field", "", _text(path, f"{where}.valueFrom.fieldRef.fieldPath")))


def _env_from(value: object, where: str) -> Source:
    fields = _map(value, where)
    for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
        if key in fields:
            wanted = _map(fields[key], f"{where}.{key}")
            name, prefix = _text(wanted.get("name"), f"{where}.{key}.name"), str(fields.get("prefix") or "")
            return Source(kind, name, optional=wanted.get("optional") is True, prefix=prefix)
    return _wrong(where, "needs a configMapRef or a secretRef")


def _port(value: object, where: str) -> Port:
    fields = _map(value, where)
    number = _number(fields.get("containerPort"), f"{where}.containerPort", 65535)
    return Port(number, _text(fields.get("name") or "", f"{where}.name"))


def _mount(value: object, where: str) -> Mount:
    fields = _map(value, where)
    path = _text(fields.get("mountPath"), f"{where}.mountPath")
    sub_path = _text(fields.get("subPath") or "", f"{where}.subPath")
    if ":" in path:
        _wrong(f"{where}.mountPath", "must not contain ':'")
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        _wrong(f"{where}.subPath", "must be relative and without '..'")
    path = path if path.startswith("/") else f"/{path}"
    return Mount(_text(fields.get("name"), f"{where}.name"), path, fields.get("readOnly") is True, sub_path)


def _volume(value: object, where: str) -> Volume:
    fields = _map(value, where)
    name = _text(fields.get("name"), f"{where}.name")
    if "/" in name or name in (".", ".."):
        _wrong(f"{where}.name", f"{name!r} is no name of a volume")
    kinds = [kind for kind in ("hostPath", "configMap", "secret", "emptyDir") if fields.get(kind) is not None]
    kind = kinds[0] if kinds else "emptyDir"
    return Volume(name, kind, _map(fields.get(kind) or {}, f"{where}.{kind}"))


def _probe(value: object, where: str) -> Probe | None:
    if value is None:
        return None
    fields = _map(value, where)

    def number(name: str, default: int) -> int:
        return _number(fields.get(name, default), f"{where}.{name}")

    return Probe(
        _action(fields, where),
        initial_delay=number("initialDelaySeconds", 0),
        period=max(1, number("periodSeconds", 10)),
        timeout=max(1, number("timeoutSeconds", 1)),
        successes=max(1, number("successThreshold", 1)),
        failures=max(1, number("failureThreshold", 3)),
    )


def _action(value: object, where: str) -> Action:
    fields = _map(value, where)
    if (http := fields.get("httpGet")) is not None:
        return _http(_map(http, f"{where}.httpGet"), f"{where}.httpGet")
    if (tcp := fields.get("tcpSocket")) is not None:
        return Action("tcp", _probe_port(_map(tcp, where).get("port"), f"{where}.tcpSocket.port"))
    if (run := fields.get("exec")) is not None:
        command = _words(_map(run, where).get("command"), f"{where}.exec.command")
        return Action("exec", command=command or _wrong(f"{where}.exec.command", "is empty"))
    if (sleep := fields.get("sleep")) is not None:
        return Action("sleep", seconds=_number(_map(sleep, where).get("seconds"), f"{where}.sleep.seconds"))
    return _wrong(where, "needs one of httpGet, tcpSocket and exec")


def _http(fields: Mapping[str, Any], where: str) -> Action:
    headers = [_map(item, f"{where}.httpHeaders") for item in fields.get("httpHeaders") or []]
    pairs = tuple((str(item.get("name")), str(item.get("value"))) for item in headers)
    path, scheme = str(fields.get("path") or "/"), str(fields.get("scheme") or "HTTP").upper()
    if any(mark in text for text in (path, *sum(pairs, ())) for mark in "\r\n"):
        _wrong(where, "must not contain a line break")
    return Action("http", _probe_port(fields.get("port"), f"{where}.port"), path, scheme, pairs)


def _probe_port(value: object, where: str) -> int | str:
    if isinstance(value, str) and value and not value.isdigit():
        return value
    return _number(int(value) if isinstance(value, str) and value else value, where, 65535)


def port_number(ports: tuple[Port, ...], port: int | str) -> int | None:
    """The number of a port that is given by number or by the name of a containerPort; None where no such name is."""
    if isinstance(port, int):
        return port
    return next((known.number for known in ports if known.name == port), None)


def _wrong(where: str, why: str) -> NoReturn:
    raise InvalidInput(f"{where} {why}", where=Where(field=where))


def _map(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _wrong(where, "is missing or no object")
    return dict(value)


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        _wrong(where, "is missing or no list")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or "\0" in value:
        _wrong(where, "is missing or no text")
    return value


def _words(value: object, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(_text(word, where) for word in _list(value, where))


def _number(value: object, where: str, largest: int = 2**31 - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        _wrong(where, f"is no number from 0 to {largest}")
    return value


def _optional_id(value: object, where: str) -> int | None:
    return None if value is None else _number(value, where, _LARGEST_ID)
