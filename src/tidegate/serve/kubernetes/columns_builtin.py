"""The columns of Kubernetes' own kinds, as its printers fill them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.kinds.objects import Object
from tidegate.serve.kubernetes.ages import UNKNOWN, age
from tidegate.serve.kubernetes.columns import AGE, NAME, NONE, Column, at, suspended, wide
from tidegate.serve.kubernetes.jsonpath import find


def _number(obj: Any, path: str) -> int:
    value = find(obj, path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _maps(obj: Any, path: str) -> list[Mapping[str, Any]]:
    value = find(obj, path)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _count(name: str, path: str) -> Column:
    return Column(name, lambda obj, _: _number(obj, path), type="integer")


def _ready_of(wanted: str, ready: str) -> Column:
    return Column("Ready", lambda obj, _: f"{_number(obj, ready)}/{_number(obj, wanted)}")


def _or_none(name: str, path: str, *, priority: int = 0) -> Column:
    return Column(name, lambda obj, _: str(find(obj, path) or NONE), priority)


def _template(field: str) -> Column:
    name = "Containers" if field == "name" else "Images"
    path = ".spec.template.spec.containers"
    return Column(name, lambda obj, _: ",".join(str(item.get(field, "")) for item in _maps(obj, path)), 1)


def _pairs(name: str, path: str, *, priority: int = 1) -> Column:
    def cell(obj: Object, _now: datetime) -> str:
        value = find(obj, path)
        pairs = value if isinstance(value, Mapping) else {}
        return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or NONE

    return Column(name, cell, priority)


def _selector() -> Column:
    def cell(obj: Object, _now: datetime) -> str:
        labels = find(obj, ".spec.selector.matchLabels")
        terms = [f"{key}={value}" for key, value in sorted(labels.items())] if isinstance(labels, Mapping) else []
        terms += map(_expression, _maps(obj, ".spec.selector.matchExpressions"))
        return ",".join(terms) or NONE

    return Column("Selector", cell, 1)


def _expression(term: Mapping[str, Any]) -> str:
    key, values = term.get("key"), ",".join(map(str, _list(term, ".values")))
    spelled = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
    return spelled.get(str(term.get("operator")), str(key))


def _pod_ready(obj: Object, _now: datetime) -> str:
    statuses = _maps(obj, ".status.containerStatuses")
    wanted = len(_maps(obj, ".spec.containers"))
    return f"{sum(1 for status in statuses if status.get('ready') is True)}/{wanted}"


def _pod_status(obj: Object, _now: datetime) -> str:
    """What one word says best: the reason of a container that waits or ended, else the phase."""
    if find(obj, ".metadata.deletionTimestamp"):
        return "Terminating"
    word = str(find(obj, ".status.reason") or find(obj, ".status.phase") or "Pending")
    for status in reversed(_maps(obj, ".status.containerStatuses")):
        waiting, ended = find(status, ".state.waiting.reason"), find(status, ".state.terminated")
        if waiting:
            word = str(waiting)
        elif isinstance(ended, Mapping):
            code = ended.get("exitCode")
            word = str(
                ended.get("reason") or (f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{code}")
            )
    return word


def _restarts(obj: Object, now: datetime) -> str:
    statuses = _maps(obj, ".status.containerStatuses")
    count = sum(_number(status, ".restartCount") for status in statuses)
    ends = [end for status in statuses if isinstance(end := find(status, ".lastState.terminated.finishedAt"), str)]
    return f"{count} ({age(max(ends), now)} ago)" if count and ends else str(count)


def _readiness_gates(obj: Object, _now: datetime) -> str:
    gates = _maps(obj, ".spec.readinessGates")
    if not gates:
        return NONE
    conditions = {item.get("type"): item.get("status") for item in _maps(obj, ".status.conditions")}
    return f"{sum(1 for gate in gates if conditions.get(gate.get('conditionType')) == 'True')}/{len(gates)}"


def _cluster_ip(obj: Object, _now: datetime) -> str:
    return str(find(obj, ".spec.clusterIP") or ("" if find(obj, ".spec.type") == "ExternalName" else NONE))


def _external_ip(obj: Object, _now: datetime) -> str:
    kind = find(obj, ".spec.type") or "ClusterIP"
    given = [str(address) for address in _list(obj, ".spec.externalIPs")]
    if kind == "ExternalName":
        return str(find(obj, ".spec.externalName") or NONE)
    if kind == "LoadBalancer":
        entries = _maps(obj, ".status.loadBalancer.ingress")
        given = [str(entry.get("ip") or entry.get("hostname")) for entry in entries] + given
        return ",".join(given) or "<pending>"
    return ",".join(given) or NONE


def _ports(obj: Object, _now: datetime) -> str:
    found = []
    for port in _maps(obj, ".spec.ports"):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        found.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(found) or NONE


def _data_count(obj: Object, _now: datetime) -> int:
    parts = (obj.get(name) for name in ("data", "binaryData"))
    return sum(len(part) for part in parts if isinstance(part, Mapping))


def _list(obj: Any, path: str) -> list[Any]:
    value = find(obj, path)
    return value if isinstance(value, list) else []


def _seen(name: str, paths: Sequence[str], *, priority: int = 0) -> Column:
    def cell(obj: Object, now: datetime) -> str:
        moment = next((found for path in paths if (found := find(obj, path))), None)
        return age(moment, now) if moment else UNKNOWN

    return Column(name, cell, priority)


def _involved(obj: Object, _now: datetime) -> str:
    kind, name = find(obj, ".involvedObject.kind"), find(obj, ".involvedObject.name")
    return f"{str(kind).lower()}/{name}" if name else str(kind).lower()


def _source(obj: Object, _now: datetime) -> str:
    component = find(obj, ".source.component") or find(obj, ".reportingComponent") or ""
    host = find(obj, ".source.host")
    return f"{component}, {host}" if host else str(component)


def _message(obj: Object, _now: datetime) -> str:
    return str(obj.get("message") or "").strip()


def _hosts(obj: Object, _now: datetime) -> str:
    return ",".join(str(rule["host"]) for rule in _maps(obj, ".spec.rules") if rule.get("host")) or "*"


def _addresses(obj: Object, _now: datetime) -> str:
    entries = _maps(obj, ".status.loadBalancer.ingress")
    return ",".join(str(entry.get("ip") or entry.get("hostname")) for entry in entries)


def _ingress_ports(obj: Object, _now: datetime) -> str:
    return "80, 443" if find(obj, ".spec.tls") else "80"


def _job_status(obj: Object, _now: datetime) -> str:
    conditions = {item.get("type"): item.get("status") for item in _maps(obj, ".status.conditions")}
    words = {"Complete": "Complete", "Failed": "Failed", "Suspended": "Suspended"}
    return next((word for kind, word in words.items() if conditions.get(kind) == "True"), "Running")


def _completions(obj: Object, _now: datetime) -> str:
    wanted = find(obj, ".spec.completions")
    return f"{_number(obj, '.status.succeeded')}/{1 if wanted is None else wanted}"


_TEMPLATE = (_template("name"), _template("image"))
BUILT_IN: Mapping[tuple[str, str], Sequence[Column]] = {
    ("apps", "Deployment"): (
        NAME,
        _ready_of(".spec.replicas", ".status.readyReplicas"),
        _count("Up-to-date", ".status.updatedReplicas"),
        _count("Available", ".status.availableReplicas"),
        AGE,
        *_TEMPLATE,
        _selector(),
    ),
    ("apps", "ReplicaSet"): (
        NAME,
        _count("Desired", ".spec.replicas"),
        _count("Current", ".status.replicas"),
        _count("Ready", ".status.readyReplicas"),
        AGE,
        *_TEMPLATE,
        _selector(),
    ),
    ("apps", "StatefulSet"): (NAME, _ready_of(".spec.replicas", ".status.readyReplicas"), AGE, *_TEMPLATE),
    ("apps", "DaemonSet"): (
        NAME,
        _count("Desired", ".status.desiredNumberScheduled"),
        _count("Current", ".status.currentNumberScheduled"),
        _count("Ready", ".status.numberReady"),
        _count("Up-to-date", ".status.updatedNumberScheduled"),
        _count("Available", ".status.numberAvailable"),
        _pairs("Node Selector", ".spec.template.spec.nodeSelector", priority=0),
        AGE,
        *_TEMPLATE,
        _selector(),
    ),
    ("batch", "Job"): (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _completions),
        AGE,
        *_TEMPLATE,
        _selector(),
    ),
    ("batch", "CronJob"): (
        NAME,
        at("Schedule", ".spec.schedule"),
        _or_none("Timezone", ".spec.timeZone"),
        Column("Suspend", suspended),
        Column("Active", lambda obj, _: len(_maps(obj, ".status.active")), type="integer"),
        Column("Last Schedule", lambda obj, now: age(m, now) if (m := find(obj, ".status.lastScheduleTime")) else NONE),
        AGE,
    ),
    ("", "Pod"): (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        _or_none("IP", ".status.podIP", priority=1),
        _or_none("Node", ".spec.nodeName", priority=1),
        _or_none("Nominated Node", ".status.nominatedNodeName", priority=1),
        Column("Readiness Gates", _readiness_gates, 1),
    ),
    ("", "Service"): (
        NAME,
        Column("Type", lambda obj, _: str(find(obj, ".spec.type") or "ClusterIP")),
        Column("Cluster-IP", _cluster_ip),
        Column("External-IP", _external_ip),
        Column("Port(s)", _ports),
        AGE,
        _pairs("Selector", ".spec.selector"),
    ),
    ("", "Event"): (
        _seen("Last Seen", (".lastTimestamp", ".series.lastObservedTime", ".eventTime", ".firstTimestamp")),
        at("Type", ".type"),
        at("Reason", ".reason"),
        Column("Object", _involved),
        at("Subobject", ".involvedObject.fieldPath", priority=1),
        Column("Source", _source, 1),
        Column("Message", _message),
        _seen("First Seen", (".firstTimestamp", ".eventTime"), priority=1),
        Column("Count", lambda obj, _: _number(obj, ".count") or 1, 1, "integer"),
        wide(NAME),
    ),
    ("", "ConfigMap"): (NAME, Column("Data", _data_count, type="integer"), AGE),
    ("", "Secret"): (NAME, at("Type", ".type"), Column("Data", _data_count, type="integer"), AGE),
    ("", "Namespace"): (NAME, at("Status", ".status.phase"), AGE),
    ("", "ServiceAccount"): (NAME, Column("Secrets", lambda obj, _: len(_maps(obj, ".secrets")), type="integer"), AGE),
    ("", "PersistentVolumeClaim"): (
        NAME,
        at("Status", ".status.phase"),
        at("Volume", ".spec.volumeName"),
        at("Capacity", ".status.capacity.storage"),
        Column("Access Modes", lambda obj, _: ",".join(map(str, _list(obj, ".spec.accessModes")))),
        at("StorageClass", ".spec.storageClassName"),
        AGE,
    ),
    ("networking.k8s.io", "Ingress"): (
        NAME,
        _or_none("Class", ".spec.ingressClassName"),
        Column("Hosts", _hosts),
        Column("Address", _addresses),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (NAME, at("Created At", ".metadata.creationTimestamp")),
}
