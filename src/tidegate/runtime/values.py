"""The values that a pod refers to: its variables, and the entries of ConfigMaps and Secrets, read when it starts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.runtime.command import expand
from tidegate.runtime.podspec import Container, Source

HOST_ADDRESS = "127.0.0.1"
CONFIG_ERROR = "CreateContainerConfigError"


async def entries(store: Store, kind: str, namespace: str, name: str) -> dict[str, bytes]:
    """The data of a ConfigMap or Secret. NotFound as the kubelet words it; InvalidInput where it is not base64."""
    try:
        found = await store.get(ObjectKey("", kind, namespace, name))
    except NotFound:
        remedy = f"apply it, or mark its use optional: kubectl get {kind.lower()} {name} -n {namespace}"
        raise NotFound(f'{kind.lower()} "{name}" not found', remedy=remedy, code=CONFIG_ERROR) from None
    data = found.get("data") or {}
    plain = {key: str(value).encode() for key, value in data.items()} if kind == "ConfigMap" else {}
    packed = data if kind == "Secret" else found.get("binaryData") or {}
    try:
        plain |= {key: base64.b64decode(value, validate=True) for key, value in packed.items()}
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInput(f"the data of {kind} {namespace}/{name} is not base64", code=CONFIG_ERROR) from None
    if kind == "Secret":
        plain |= {key: str(value).encode() for key, value in (found.get("stringData") or {}).items()}
    return plain


async def variables(store: Store, pod: Object, container: Container, base: Mapping[str, str]) -> dict[str, str]:
    """All variables of a container: `base` (the image's), then `envFrom`, then `env`, whose literals may use those
    before them. NotFound names what is missing and not optional.
    """
    namespace = str(pod["metadata"]["namespace"])
    result: dict[str, str] = {}
    for source in container.env_from:
        try:
            found = await entries(store, source.kind, namespace, source.name)
        except NotFound:
            if not source.optional:
                raise
            continue
        result |= {source.prefix + key: _text(value, source) for key, value in found.items() if "=" not in key}
    for variable in container.env:
        if variable.source is None:
            result[variable.name] = expand(variable.value, result)
            continue
        value = await _value(store, pod, variable.source)
        if value is not None:
            result[variable.name] = value
    return dict(base) | result


async def _value(store: Store, pod: Object, source: Source) -> str | None:
    if source.kind == "field":
        return field_of(pod, source.key)
    namespace = str(pod["metadata"]["namespace"])
    try:
        found = await entries(store, source.kind, namespace, source.name)
    except NotFound:
        if source.optional:
            return None
        raise
    if source.key in found:
        return _text(found[source.key], source)
    if source.optional:
        return None
    message = f"couldn't find key {source.key} in {source.kind} {namespace}/{source.name}"
    raise NotFound(message, code=CONFIG_ERROR)


def _text(value: bytes, source: Source) -> str:
    text = value.decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise InvalidInput(f"a value of {source.kind} {source.name} can't be in a variable: it has a NUL byte")
    return text


def field_of(pod: Object, path: str) -> str:
    """A field that `fieldRef` may name. Raises InvalidInput for any other."""
    metadata, spec = pod["metadata"], pod["spec"]
    plain = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.hostIP": HOST_ADDRESS,
        "status.podIP": HOST_ADDRESS,
        "status.podIPs": HOST_ADDRESS,
        "status.hostIPs": HOST_ADDRESS,
    }
    if path in plain:
        return str(plain[path])
    for name in ("labels", "annotations"):
        prefix = f"metadata.{name}['"
        if path.startswith(prefix) and path.endswith("']"):
            return str((metadata.get(name) or {}).get(path[len(prefix) : -2], ""))
    raise InvalidInput(f"fieldRef {path!r} is not supported on one machine", code=CONFIG_ERROR)
