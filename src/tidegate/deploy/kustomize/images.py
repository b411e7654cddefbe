"""The `images` field: other names, tags and digests for images, wherever containers stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.fieldspecs import FieldSpec, set_fields
from tidegate.deploy.kustomize.resource import Resource

CONTAINERS = ("containers", "initContainers")
_REST = r"(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?"


def replace_images(resources: Sequence[Resource], image: Mapping[str, Any], specs: Sequence[FieldSpec]) -> None:
    """Apply one entry of `images`. A CustomResourceDefinition is left alone."""
    name = str(image.get("name", ""))
    try:
        pattern = re.compile(f"{name}{_REST}")
    except re.error:
        pattern = re.compile(f"{re.escape(name)}{_REST}")

    def renamed(value: Any) -> Any:
        return _renamed(value, image) if isinstance(value, str) and pattern.fullmatch(value) else value

    def renamed_scalar(value: Any) -> Any:
        if isinstance(value, (dict, list)):
            raise InvalidInput(f"an image must be text, not {type(value).__name__}")
        return renamed(value)

    for resource in resources:
        if resource.kind != "CustomResourceDefinition":
            _in_containers(resource.data, renamed_scalar)
            set_fields(resource, specs, renamed_scalar, make=None)


def _in_containers(node: Any, renamed: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _in_containers(item, renamed)
    elif isinstance(node, dict):
        for key, value in node.items():
            _in_containers(value, renamed)
            if key in CONTAINERS and isinstance(value, list):
                for container in value:
                    if isinstance(container, dict) and container.get("image") is not None:
                        container["image"] = renamed(container["image"])


def _renamed(value: str, image: Mapping[str, Any]) -> str:
    name, tag, digest = split_image(value)
    name = image.get("newName") or name
    new_tag, new_digest = image.get("newTag"), image.get("digest")
    if new_tag or new_digest:
        tag, digest = new_tag or "", new_digest or ""
    elif suffix := image.get("tagSuffix"):
        tag, digest = tag + suffix, ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split_image(value: str) -> tuple[str, str, str]:
    """Name, tag and digest; a colon before the first slash is a port's."""
    slash = max(value.find("/"), 0)
    at, colon = value.find("@", slash), value.find(":", slash)
    if at >= 0 and (colon < 0 or at < colon):
        return value[:at], "", value[at + 1 :]
    if colon < 0:
        return value, "", ""
    if at >= 0:
        return value[:colon], value[colon + 1 : at], value[at + 1 :]
    return value[:colon], value[colon + 1 :], ""
