"""Taking generated objects in: as new ones, or merged into or in the place of what a base made. Pure."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput
from tidegate.deploy.kustomize.resource import Resource, ResourceMap


def absorb(resources: ResourceMap, new: Resource) -> None:
    """Add a generated object as its behavior says; InvalidInput where that does not fit what is there."""
    found = resources.by_any_id(new.id.same_as)
    if len(found) > 1:
        raise InvalidInput(f"several objects could be meant by the generator of {new.id}", where=new.where())
    if not found:
        if new.behavior in ("merge", "replace"):
            message = f"there is no {new.id} to {new.behavior}"
            raise InvalidInput(message, where=new.where(), remedy="a base must generate it first")
        resources.extend([new])
        return
    if new.behavior not in ("merge", "replace"):
        remedy = "set behavior: merge or replace"
        raise InvalidInput(f"{new.id} exists already", where=new.where(), remedy=remedy)
    old = found[0]
    _take_over(new, old)
    if new.behavior == "merge":
        for part in ("data", "binaryData"):
            merged = {**_texts(old, part), **_texts(new, part)}
            if merged:
                new.data[part] = dict(sorted(merged.items()))
            else:
                new.data.pop(part, None)
    resources.resources[resources.resources.index(old)] = new


def _take_over(new: Resource, old: Resource) -> None:
    """The metadata of what is replaced, with the new labels and annotations on top, and its history."""
    for part in ("labels", "annotations"):
        texts = (old.labels(), new.labels()) if part == "labels" else (old.annotations(), new.annotations())
        new.set_texts(part, {**texts[0], **texts[1]})
    metadata = new.data["metadata"]
    metadata["name"] = old.name
    if old.namespace:
        metadata["namespace"] = old.namespace
    else:
        metadata.pop("namespace", None)
    new.earlier, new.prefixes, new.suffixes = old.earlier, old.prefixes, old.suffixes
    new.add_hash = new.add_hash and old.add_hash


def _texts(resource: Resource, part: str) -> dict[str, str]:
    values = resource.data.get(part)
    return dict(values) if isinstance(values, dict) else {}
