"""What the store itself writes into an object as it is born, changes and dies: uid, generation, defaults. Pure."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import Conflict, InvalidInput, LimitExceeded, Where
from tidegate.base.json_size import count_values
from tidegate.engine.merge_fields import same
from tidegate.engine.typed_zeros import without_zeros
from tidegate.kinds.objects import Object, ObjectKey, group_of, key_of
from tidegate.kinds.resources import is_namespaced

OBJECT_LIMIT = 3 * 1024 * 1024
"""The largest object in bytes of JSON, as large as a request to the Kubernetes API may be."""
VALUES_LIMIT = 20_000
"""Values in one object: a CustomResourceDefinition has some thousand. Each takes many times its bytes in memory."""
DEPTH_LIMIT = 100
NAME_LIMIT = 253
SYSTEM_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_PATH_NAME = re.compile(r"[^/%\x00-\x1f\x7f]+")
_GROUP = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_ROLES = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
_ESCAPED_SURROGATE = "\\ud"  # half a character, which no file, log or program takes, or one of a harmless pair
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


def plain_copy(obj: Mapping[str, Any]) -> Object:
    """The caller's object as JSON of our own. InvalidInput where it is no JSON, LimitExceeded where it is too large."""
    try:
        text = json.dumps(obj, allow_nan=False)
        if _ESCAPED_SURROGATE in text:
            json.dumps(obj, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"an object is plain JSON: {error}") from error
    if len(text) > OBJECT_LIMIT:
        raise LimitExceeded(f"an object may have {OBJECT_LIMIT} bytes, not {len(text)}")
    value: Object = json.loads(text)
    opened = text.count("{") + text.count("[")  # so many maps and lists at most
    if opened + text.count(",") >= VALUES_LIMIT:
        _check_values(value)
    if opened > DEPTH_LIMIT and _depth(value) > DEPTH_LIMIT:
        raise LimitExceeded(f"an object may be nested {DEPTH_LIMIT} levels deep")
    if not isinstance(value.get("metadata"), dict):
        raise InvalidInput("an object needs metadata", where=Where(field="metadata"))
    return value


def _check_values(value: Object) -> None:
    try:
        count_values(value, VALUES_LIMIT)
    except LimitExceeded:
        raise LimitExceeded(f"an object may hold {VALUES_LIMIT} values, and this one holds more") from None


def _depth(value: Any) -> int:
    """How deep maps and lists are nested; level by level, since the value may be deeper than Python's stack."""
    depth, level = 0, [value]
    while level and depth <= DEPTH_LIMIT:
        depth += 1
        inner: list[Any] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item
        level = [item for item in inner if isinstance(item, (dict, list))]
    return depth


def checked_key(obj: Object) -> ObjectKey:
    """The object's key, its names and its scope checked. InvalidInput names the field."""
    key = key_of(obj)
    if not _GROUP.fullmatch(str(obj["apiVersion"])):
        raise InvalidInput(f"{obj['apiVersion']!r} is no apiVersion", where=Where(field="apiVersion"))
    if not _KIND.fullmatch(key.kind):
        raise InvalidInput(f"{key.kind!r} is no kind", where=Where(field="kind"))
    _check_name(key)
    _check_spec(obj)
    _check_maps(obj["metadata"])
    namespaced = is_namespaced(str(obj["apiVersion"]), key.kind)
    if namespaced and not key.namespace:
        raise InvalidInput(f"a {key.kind} lives in a namespace", where=Where(field="metadata.namespace"))
    if namespaced is False and key.namespace:
        raise InvalidInput(f"a {key.kind} lives in no namespace", where=Where(field="metadata.namespace"))
    if key.namespace and not (_LABEL_NAME.fullmatch(key.namespace) and len(key.namespace) <= 63):
        raise InvalidInput(f"{key.namespace!r} is no namespace's name", where=Where(field="metadata.namespace"))
    return key


def _check_name(key: ObjectKey) -> None:
    pattern, limit = (_NAME, NAME_LIMIT)
    if key.kind == "Namespace" and not key.group:
        pattern, limit = _LABEL_NAME, 63
    elif key.kind in _ROLES:
        pattern = _PATH_NAME
    if not pattern.fullmatch(key.name) or len(key.name) > limit or key.name in (".", ".."):
        remedy = "a name has lower case letters, digits, '-' and '.', and starts and ends with a letter or digit"
        raise InvalidInput(
            f"{key.name!r} is no name of a {key.kind}", where=Where(field="metadata.name"), remedy=remedy
        )


def _check_spec(obj: Mapping[str, Any]) -> None:
    """Whoever reads a spec goes by its fields; what is in them is for each kind's own reader."""
    if not isinstance(obj.get("spec"), dict | None):
        raise InvalidInput("spec is a map", where=Where(field="spec"))


def _check_maps(metadata: Mapping[str, Any]) -> None:
    for name in ("labels", "annotations"):
        value = metadata.get(name)
        if value is None:
            continue
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise InvalidInput(f"{name} are a map of strings", where=Where(field=f"metadata.{name}"))
    for name, item in (("finalizers", str), ("ownerReferences", dict), ("managedFields", dict)):
        value = metadata.get(name)
        if value is None:
            continue
        if not isinstance(value, list) or not all(isinstance(one, item) for one in value):
            kind = "texts" if item is str else "maps"
            raise InvalidInput(f"{name} are a list of {kind}", where=Where(field=f"metadata.{name}"))
    for owner in metadata.get("ownerReferences") or []:
        if not all(isinstance(owner.get(name), str) for name in ("apiVersion", "kind", "name", "uid")):
            why = "an owner has an apiVersion, a kind, a name and a uid"
            raise InvalidInput(why, where=Where(field="metadata.ownerReferences"))


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName, as the Kubernetes API makes it."""
    return prefix[:58] + "".join(secrets.choice(_SUFFIX) for _ in range(5))


def born(obj: Object, *, uid: str, now: str) -> Object:
    """A new object: its identity set, without status, defaults filled in."""
    metadata = {
        name: value for name, value in obj["metadata"].items() if name not in SYSTEM_METADATA and value is not None
    }
    metadata |= {"uid": uid, "creationTimestamp": now, "generation": 1}
    fresh = {name: value for name, value in obj.items() if name != "status"} | {"metadata": metadata}
    return with_defaults(_namespace(fresh) if _is_namespace(fresh) else fresh)


def _is_namespace(obj: Mapping[str, Any]) -> bool:
    return obj.get("kind") == "Namespace" and obj.get("apiVersion") == "v1"


def _namespace(obj: Object) -> Object:
    name = obj["metadata"]["name"]
    labels = (obj["metadata"].get("labels") or {}) | {"kubernetes.io/metadata.name": name}
    return obj | {
        "metadata": obj["metadata"] | {"labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def unwritten(obj: Object, live: Object | None) -> Object:
    """What a dry run answers: the object as it would be, in the version that stands; a new one has none. A client that
    compares the two, as `flux diff` does, must see no change but those of the content.
    """
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    kept = {} if live is None else {"resourceVersion": live["metadata"]["resourceVersion"]}
    return obj | {"metadata": metadata | kept}


def new_namespace(name: str) -> Object:
    """The Namespace object that appears when something is first written into it."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def succeeding(live: Object, wanted: Object) -> Object:
    """`wanted` as the next state of `live`: identity and status kept, generation counted. Conflict on another uid or
    on a resourceVersion that isn't the present one.
    """
    check_preconditions(live, wanted["metadata"].get("uid"), wanted["metadata"].get("resourceVersion"))
    metadata = {name: value for name, value in wanted["metadata"].items() if value is not None}
    for name in ("name", "namespace", *SYSTEM_METADATA, "resourceVersion"):
        metadata.pop(name, None)
        if name in live["metadata"]:
            metadata[name] = live["metadata"][name]
    if "managedFields" not in metadata and "managedFields" in live["metadata"]:
        metadata["managedFields"] = live["metadata"]["managedFields"]
    rest = {name: value for name, value in wanted.items() if name not in ("metadata", "status")}
    after = rest | {"metadata": metadata} | ({"status": live["status"]} if "status" in live else {})
    after = with_defaults(after)
    if not same(_counted(live), _counted(after)):
        metadata["generation"] = int(live["metadata"].get("generation", 0)) + 1
    return after


def _counted(obj: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in obj.items() if name not in ("metadata", "status", "apiVersion")}


def with_status(live: Object, status: Any) -> Object:
    """The object with another status; InvalidInput where it is no map."""
    if not isinstance(status, dict):
        raise InvalidInput("status is a map", where=Where(field="status"))
    return live | {"status": status}


def check_preconditions(live: Object, uid: object, resource_version: object) -> None:
    """Conflict where a uid or a resource version is asked for that the object no longer has."""
    metadata = live["metadata"]
    key = key_of(live)
    if uid and uid != metadata.get("uid"):
        raise Conflict(f"{key} was deleted and made anew: its uid is {metadata.get('uid')}, not {uid}")
    if resource_version and str(resource_version) != metadata.get("resourceVersion"):
        raise Conflict(f"{key} has been modified meanwhile", remedy="apply your changes to the latest version")


def dying(live: Object, now: str) -> Object:
    """The object as a delete leaves it while finalizers hold it."""
    metadata = live["metadata"] | {
        "deletionTimestamp": now,
        "deletionGracePeriodSeconds": 0,
        "generation": int(live["metadata"].get("generation", 0)) + 1,
    }
    after = live | {"metadata": metadata}
    if _is_namespace(live):
        return after | {"status": (live.get("status") or {}) | {"phase": "Terminating"}}
    return after


def is_dying(obj: Mapping[str, Any]) -> bool:
    """Whether a delete waits for the object's finalizers."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def unchanged(before: Object, after: Object) -> bool:
    """Whether writing `after` over `before` would change nothing but the store's own notes of times."""
    return same(_without_times(before), _without_times(after))


def content_changed(before: Object, after: Object) -> bool:
    """Whether anything but the ownership of fields differs."""
    return not same(_content(before), _content(after))


def _content(obj: Object) -> Object:
    hidden = ("managedFields", "resourceVersion")
    return obj | {"metadata": {name: value for name, value in obj["metadata"].items() if name not in hidden}}


def _without_times(obj: Object) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    lines = metadata.get("managedFields")
    if isinstance(lines, list):
        metadata["managedFields"] = [_without_time(line) for line in lines]
    return obj | {"metadata": metadata}


def _without_time(line: Any) -> Any:
    return {name: value for name, value in line.items() if name != "time"} if isinstance(line, dict) else line


def with_defaults(obj: Object) -> Object:
    """Kubernetes' own defaults for its kinds, as far as clients rely on them (kubectl follows pointers blindly)."""
    group, kind = group_of(str(obj["apiVersion"])), obj["kind"]
    obj = without_zeros(obj)
    if kind == "Secret" and not group:
        return _secret(obj)
    if kind == "Service" and not group and isinstance(obj.get("spec"), dict):
        return obj | {"spec": _service(obj["spec"])}
    if kind == "Pod" and not group and isinstance(obj.get("spec"), dict):
        return obj | {"spec": _pod(obj["spec"])}
    if group == "apps" and kind in ("Deployment", "ReplicaSet", "StatefulSet") and isinstance(obj.get("spec"), dict):
        return obj | {"spec": _replicated(kind, obj["spec"])}
    return obj


def _secret(obj: Object) -> Object:
    plain = obj.get("stringData")
    secret = {name: value for name, value in obj.items() if name != "stringData"}
    secret.setdefault("type", "Opaque")
    if isinstance(plain, dict) and isinstance(secret.get("data") or {}, dict):
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()}
        secret["data"] = (secret.get("data") or {}) | encoded
    return secret


def _service(spec: Mapping[str, Any]) -> dict[str, Any]:
    ports = spec.get("ports")
    filled = {"type": "ClusterIP", "sessionAffinity": "None"} | dict(spec)
    if isinstance(ports, list):
        filled["ports"] = [_service_port(port) if isinstance(port, dict) else port for port in ports]
    return filled


def _service_port(port: Mapping[str, Any]) -> dict[str, Any]:
    return {"protocol": "TCP"} | ({"targetPort": port["port"]} if "port" in port else {}) | dict(port)


def _replicated(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    filled: dict[str, Any] = {"replicas": 1} | dict(spec)
    if filled["replicas"] is None:
        filled["replicas"] = 1
    if kind == "Deployment":
        filled = {"revisionHistoryLimit": 10, "progressDeadlineSeconds": 600} | filled
        filled["strategy"] = _strategy(filled.get("strategy"))
    template = filled.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        filled["template"] = template | {"spec": _pod(template["spec"])}
    return filled


def _strategy(strategy: Any) -> Any:
    if not isinstance(strategy, dict):
        strategy = {}
    filled = {"type": "RollingUpdate"} | strategy
    if filled["type"] == "RollingUpdate":
        given = filled.get("rollingUpdate")
        rolling = {"maxUnavailable": "25%", "maxSurge": "25%"} | (given if isinstance(given, dict) else {})
        return filled | {"rollingUpdate": rolling}
    return filled


def _pod(spec: Mapping[str, Any]) -> dict[str, Any]:
    filled: dict[str, Any] = {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30} | dict(spec)
    for name in ("containers", "initContainers"):
        if isinstance(filled.get(name), list):
            filled[name] = [_container(item) if isinstance(item, dict) else item for item in filled[name]]
    return filled


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    ports = container.get("ports")
    if not isinstance(ports, list):
        return dict(container)
    filled = [{"protocol": "TCP"} | port if isinstance(port, dict) else port for port in ports]
    return dict(container) | {"ports": filled}
