"""The definitions of the kinds that this process reconciles, stored like any other: clients such as `flux check` look
for them by Flux's labels. They say names and versions only; what is in an object is checked by the door itself.
"""

from __future__ import annotations

from typing import Any

from tidegate.base.errors import Conflict
from tidegate.engine.ports import Store
from tidegate.kinds.controllers import CONTROLLERS, resource_of
from tidegate.kinds.labels import part_of_flux
from tidegate.kinds.objects import Object, key_of
from tidegate.kinds.resources import Resource

MANAGER = "tidegate"
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition_of(resource: Resource, version: str) -> Object:
    """The CustomResourceDefinition of one kind, without its status; `version` is ours. Pure."""
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.singular,
    }
    lists = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    names |= {field: value for field, value in lists.items() if value}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}", "labels": part_of_flux(version)},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced",
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": name == resource.versions[0],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": _ANYTHING},
                }
                for name in resource.versions
            ],
        },
    }


def status_of(definition: Object) -> dict[str, Any]:
    """What an API server says of a stored definition once it serves the kind. Pure."""
    names = definition["spec"]["names"]
    served = {"status": "True", "lastTransitionTime": definition["metadata"]["creationTimestamp"]}
    return {
        "acceptedNames": names,
        "storedVersions": [one["name"] for one in definition["spec"]["versions"] if one["storage"]],
        "conditions": [
            {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"} | served,
            {"type": "Established", "reason": "InitialNamesAccepted", "message": "served by tidegate"} | served,
        ],
    }


async def store_definitions(store: Store, version: str) -> None:
    """Store those of all kinds with a controller, unless they stand so; one that others have changed stays theirs."""
    for kind in (kind for kinds in CONTROLLERS.values() for kind in kinds):
        definition = definition_of(resource_of(kind), version)
        try:
            stored = (await store.apply(definition, manager=MANAGER)).object
        except Conflict:
            stored = await store.get(key_of(definition))
        await store.patch_status(key_of(stored), status_of(stored), manager=MANAGER)
