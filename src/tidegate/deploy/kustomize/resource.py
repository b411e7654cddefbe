"""An object while it is built: its data, and what it was called before. Objects change in place during a build."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.deploy.kustomize.identity import Gvk, ResourceId
from tidegate.kinds.objects import Object

Ids = Callable[[ResourceId], bool]


def text_of(value: Any) -> str:
    """A scalar's text as YAML would hold it; empty for null and for what is no scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def fits_in_place_of(value: Any, text: str, present: Any) -> bool:
    """Whether a scalar that was written as `text` can have the YAML type of `present`: a float holds an integer too."""
    if isinstance(present, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(present, int) and not isinstance(present, bool):
        is_float = "." in text or ("e" in text.lower() and not text.lower().lstrip("+-").startswith("0x"))
        return isinstance(value, int) and not isinstance(value, bool) and not is_float
    return type(value) is type(present)


@dataclass(slots=True, eq=False)
class Resource:
    """`earlier` are the identities it had, oldest first; `prefixes` and `suffixes` what was put around its name.
    `file` is where it was read. `behavior` and `add_hash` are a generated object's.
    """

    data: Object
    file: str | None = None
    earlier: list[ResourceId] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    suffixes: list[str] = field(default_factory=list)
    behavior: str | None = None
    add_hash: bool = False
    local: bool = False

    @property
    def gvk(self) -> Gvk:
        return Gvk.of(text_of(self.data.get("apiVersion")), text_of(self.data.get("kind")))

    @property
    def kind(self) -> str:
        return text_of(self.data.get("kind"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The object's metadata; an empty one where it has none."""
        metadata = self.data.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def name(self) -> str:
        return text_of(self.metadata.get("name"))

    @property
    def namespace(self) -> str:
        return text_of(self.metadata.get("namespace"))

    @property
    def id(self) -> ResourceId:
        """What it is called now."""
        return ResourceId(self.gvk, self.name, self.namespace)

    @property
    def original_id(self) -> ResourceId:
        """What it was called when it was read."""
        return self.earlier[0] if self.earlier else self.id

    def all_ids(self) -> Iterator[ResourceId]:
        """Every identity it had, oldest first, the present one last."""
        yield from self.earlier
        yield self.id

    def remember_id(self) -> None:
        """Keep the present identity, before something changes it."""
        present = self.id
        self.earlier.append(ResourceId(present.gvk, present.name, present.effective_namespace))
        self.have_annotations()

    def have_annotations(self) -> None:
        """Make its annotations, if it has none. kustomize keeps an object's history there while it builds, so patches
        and transformers find some; empty ones go at the end.
        """
        metadata = self.data.setdefault("metadata", {})
        if isinstance(metadata, dict) and metadata.get("annotations") is None:
            metadata["annotations"] = {}

    def labels(self) -> dict[str, str]:
        """The labels as text."""
        return self._texts("labels")

    def annotations(self) -> dict[str, str]:
        """The annotations as text."""
        return self._texts("annotations")

    def set_texts(self, name: str, values: dict[str, str]) -> None:
        """Replace the labels or annotations; without any, the field goes."""
        metadata = self.data.setdefault("metadata", {})
        if values:
            metadata[name] = dict(sorted(values.items()))
        else:
            metadata.pop(name, None)

    def copy(self) -> Resource:
        """An independent copy."""
        return copy.deepcopy(self)

    def where(self, field_path: str | None = None) -> Where:
        """The place to name in an error about it."""
        return Where(self.file, field=field_path)

    def _texts(self, name: str) -> dict[str, str]:
        values = self.metadata.get(name)
        return {str(key): text_of(value) for key, value in values.items()} if isinstance(values, dict) else {}


RESOURCES_LIMIT = 20_000


class ResourceMap:
    """The resources of a build, in order; no two of them have the same present identity."""

    def __init__(self, resources: list[Resource] | None = None):
        self.resources: list[Resource] = []
        self.extend(resources or [])

    def extend(self, resources: list[Resource]) -> None:
        """Add at the end. InvalidInput where an identity is taken, LimitExceeded beyond RESOURCES_LIMIT: bases of bases
        of bases multiply.
        """
        if len(self.resources) + len(resources) > RESOURCES_LIMIT:
            raise LimitExceeded(f"a kustomization may come to {RESOURCES_LIMIT} objects, and this one comes to more")
        taken = {_key(resource.id): resource for resource in self.resources}
        for resource in resources:
            key = _key(resource.id)
            if key in taken:
                places = " and ".join(str(place) for place in (taken[key].file, resource.file) if place)
                told = f" ({places})" if places else ""
                raise InvalidInput(f"{resource.id} is given twice{told}", where=resource.where())
            taken[key] = resource
            self.resources.append(resource)

    def drop_empty(self) -> None:
        """Leave out what a patch has deleted."""
        self.resources = [resource for resource in self.resources if resource.data]

    def by_id(self, wanted: ResourceId) -> list[Resource]:
        """Those that are called so now."""
        return [resource for resource in self.resources if resource.id.same_as(wanted)]

    def by_any_id(self, matches: Ids) -> list[Resource]:
        """Those that are, or once were, called as `matches` says."""
        return [resource for resource in self.resources if any(matches(known) for known in resource.all_ids())]

    def check_unique(self, what: str) -> None:
        """InvalidInput where two resources now have one identity, because of `what`."""
        seen: set[tuple[Gvk, str, str]] = set()
        for resource in self.resources:
            key = _key(resource.id)
            if key in seen:
                raise InvalidInput(f"{what} makes two objects of one: {resource.id}", where=resource.where())
            seen.add(key)


def _key(identity: ResourceId) -> tuple[Gvk, str, str]:
    return identity.gvk, identity.name, identity.effective_namespace
