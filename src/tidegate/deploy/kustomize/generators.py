"""`configMapGenerator` and `secretGenerator`: ConfigMaps and Secrets from literals, files and env files. Pure."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.deploy.kustomize.files import Folder
from tidegate.deploy.kustomize.resource import Resource

BEHAVIORS = ("create", "replace", "merge")
UNSPECIFIED = "unspecified"
LINE_WIDTH = 70


def generate(
    kind: str, arguments: Mapping[str, Any], options: Mapping[str, Any], folder: Folder, where: Where
) -> Resource:
    """The object that one entry of a generator asks for. `options` are the file's generatorOptions."""
    name = arguments.get("name")
    if not name:
        raise InvalidInput(f"a generated {kind} needs a name", where=where)
    own = _merged_options(arguments.get("options") or {}, options)
    data: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    if namespace := arguments.get("namespace"):
        data["metadata"]["namespace"] = namespace
    if kind == "Secret":
        data |= {"type": arguments.get("type") or "Opaque", "data": {}}
    _fill(data, _pairs(arguments, str(name), folder, where))
    for part in ("labels", "annotations"):
        if own.get(part):
            data["metadata"][part] = dict(own[part])
    if own.get("immutable"):
        data["immutable"] = True
    behavior = arguments.get("behavior")
    made = Resource(
        data,
        where.file,
        behavior=behavior if behavior in BEHAVIORS else UNSPECIFIED,
        add_hash=not own.get("disableNameSuffixHash"),
    )
    made.have_annotations()
    return made


def _merged_options(own: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {
        part: {**(common.get(part) or {}), **(own.get(part) or {})} for part in ("labels", "annotations")
    }
    for flag in ("disableNameSuffixHash", "immutable"):
        merged[flag] = bool(own.get(flag) or common.get(flag))
    return merged


def _pairs(arguments: Mapping[str, Any], name: str, folder: Folder, where: Where) -> dict[str, bytes]:
    found: list[tuple[str, bytes]] = []
    for path in arguments.get("envs") or []:
        found += _env_pairs(folder.read(path, where), where)
    found += [_literal(text or "", where) for text in arguments.get("literals") or []]
    for text in arguments.get("files") or []:
        key, path = _file_source(text or "", where)
        found.append((key, folder.read(path, where)))
    pairs: dict[str, bytes] = {}
    for key, value in found:
        if key in pairs:
            raise InvalidInput(f"{name} has the key {key!r} twice", where=where)
        pairs[key] = value
    return pairs


def _env_pairs(content: bytes, where: Where) -> list[tuple[str, bytes]]:
    pairs = []
    for number, raw in enumerate(content.split(b"\n")):
        line = raw.removesuffix(b"\r")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"line {number + 1} of an env file is not UTF-8", where=where) from None
        if number == 0:
            text = text.removeprefix("\ufeff")
        text = text.lstrip()
        if not text or text.startswith("#"):
            continue
        key, _, value = text.partition("=")
        if key:
            pairs.append((key, value.encode()))
    return pairs


def _literal(text: str, where: Where) -> tuple[str, bytes]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        # What it is stays unsaid: it may be a secret that lost its key.
        raise InvalidInput("a literal is not KEY=VALUE", where=where)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return key, value.encode()


def _file_source(text: str, where: Where) -> tuple[str, str]:
    key, equals, path = text.partition("=")
    if not equals:
        return posixpath.basename(text), text
    if not key or not path or "=" in path:
        raise InvalidInput(f"the file {text!r} is neither PATH nor KEY=PATH", where=where)
    return key, path


def _fill(data: dict[str, Any], pairs: Mapping[str, bytes]) -> None:
    """A Secret's values are base64; so are a ConfigMap's that are no text."""
    for key in sorted(pairs):
        value = pairs[key]
        if data["kind"] == "Secret":
            data["data"][key] = encoded(value)
            continue
        try:
            text = value.decode()
        except UnicodeDecodeError:
            data.setdefault("binaryData", {})[key] = encoded(value)
        else:
            data.setdefault("data", {})[key] = text


def encoded(value: bytes) -> str:
    """base64 as kustomize writes it: in lines of 70 characters, once one line is full."""
    text = base64.b64encode(value).decode()
    if len(text) < LINE_WIDTH:
        return text
    return "".join(f"{text[at : at + LINE_WIDTH]}\n" for at in range(0, len(text), LINE_WIDTH))
