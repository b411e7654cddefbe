"""API discovery: which groups, versions and resources there are, in the old form and in the aggregated one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidegate.kinds.resources import Resource, version_priority

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
STATUS_VERBS = ["get", "patch", "update"]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
EMULATED = ("1", "33")


def version_info(git_version: str) -> dict[str, str]:
    """`/version`: the API level that clients may expect, and our own version behind it."""
    major, minor = EMULATED
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0+tidegate-{git_version}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    }


def core_versions(address: str) -> dict[str, Any]:
    """`/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(resources: Iterable[Resource]) -> dict[str, Any]:
    """`/apis`."""
    groups = [_group(name, versions) for name, versions in _versions_by_group(resources).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def one_group(resources: Iterable[Resource], group: str) -> dict[str, Any] | None:
    """`/apis/GROUP`; None where there is no such group."""
    versions = _versions_by_group(resources).get(group)
    return None if versions is None else {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, versions)


def resource_list(resources: Iterable[Resource], group: str, version: str) -> dict[str, Any] | None:
    """`/api/v1` and `/apis/GROUP/VERSION`; None where nothing is served there."""
    lines: list[dict[str, Any]] = []
    for resource in resources:
        if resource.group == group and version in resource.versions:
            lines += _lines(resource)
    if not lines:
        return None
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": lines}


def aggregated(resources: Sequence[Resource], *, core: bool) -> dict[str, Any]:
    """All of discovery in one answer, for the core group or for all others."""
    items = []
    for group, versions in _versions_by_group(resources).items():
        if bool(group) != core:
            lines = [_aggregated_version(resources, group, version) for version in versions]
            items.append({"metadata": {"name": group, "creationTimestamp": None}, "versions": lines})
    kind = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2"}
    return kind | {"metadata": {}, "items": items}


def _versions_by_group(resources: Iterable[Resource]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for resource in resources:
        versions = found.setdefault(resource.group, [])
        versions += [version for version in resource.versions if version not in versions]
    return {group: sorted(versions, key=version_priority) for group, versions in found.items()}


def _group(name: str, versions: Sequence[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _lines(resource: Resource) -> list[dict[str, Any]]:
    main = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": VERBS,
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.categories:
        main["categories"] = list(resource.categories)
    lines = [main]
    for name, kind, verbs in _subresources(resource):
        line = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        scale = {"group": "autoscaling", "version": "v1"} if kind == "Scale" else {}
        lines.append(line | scale | {"kind": kind, "verbs": verbs})
    return lines


def _subresources(resource: Resource) -> list[tuple[str, str, list[str]]]:
    found = [("status", resource.kind, STATUS_VERBS)] if resource.has_status else []
    if resource.has_scale:
        found.append(("scale", "Scale", STATUS_VERBS))
    if resource.kind == "Pod" and not resource.group:
        found.append(("log", resource.kind, ["get"]))
    return found


def _aggregated_version(resources: Iterable[Resource], group: str, version: str) -> dict[str, Any]:
    lines = [
        _aggregated_resource(resource, group, version)
        for resource in resources
        if resource.group == group and version in resource.versions
    ]
    return {"version": version, "resources": lines, "freshness": "Current"}


def _aggregated_resource(resource: Resource, group: str, version: str) -> dict[str, Any]:
    line: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": {"group": group, "version": version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": VERBS,
    }
    if resource.short_names:
        line["shortNames"] = list(resource.short_names)
    if resource.categories:
        line["categories"] = list(resource.categories)
    below = [
        {"subresource": name, "responseKind": _response_kind(kind, group, version), "verbs": verbs}
        for name, kind, verbs in _subresources(resource)
    ]
    return line | ({"subresources": below} if below else {})


def _response_kind(kind: str, group: str, version: str) -> dict[str, str]:
    if kind == "Scale":
        group, version = "autoscaling", "v1"
    return {"group": group, "version": version, "kind": kind}
