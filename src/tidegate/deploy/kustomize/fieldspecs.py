"""Where in objects of which kind a transformer works: kustomize's field specs, and walking an object by one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.deploy.kustomize.identity import Gvk
from tidegate.deploy.kustomize.resource import Resource


@frozen
class FieldSpec:
    """A path (`spec/containers[]/image`) in objects that `selector` selects; `create` makes what is missing."""

    path: str
    selector: Gvk = field(default_factory=Gvk)
    create: bool = False

    @property
    def parts(self) -> list[str]:
        """The path's parts; a slash in a key is written `\\/`."""
        return split_path(self.path, "/")


class FieldSpecs:
    """A transformer's field specs, merged as kustomize merges them."""

    def __init__(self, specs: Iterable[FieldSpec] = ()):
        self.specs: list[FieldSpec] = []
        for spec in specs:
            self.add(spec)

    def add(self, spec: FieldSpec) -> None:
        """Add one, unless one that covers it is there; InvalidInput where that one differs in `create`."""
        for present in self.specs:
            if present.path == spec.path and present.selector.selected_by(spec.selector):
                if present.create != spec.create:
                    raise InvalidInput(f"conflicting fieldspecs for {spec.path}")
                return
        self.specs.append(spec)

    def merged(self, others: Iterable[FieldSpec]) -> FieldSpecs:
        """These and others."""
        result = FieldSpecs()
        result.specs = list(self.specs)
        for spec in others:
            result.add(spec)
        return result


Set = Callable[[Any], Any]
"""From a field's present value to its new one."""


def set_fields(resource: Resource, specs: Sequence[FieldSpec], new: Set, *, make: Callable[[], Any] | None) -> None:
    """Put `new(value)` at every place in a resource that a spec names. `make` gives the value that a missing last field
    starts from; None where missing ones are left alone.
    """
    for spec in specs:
        if resource.gvk.selected_by(spec.selector):
            if not spec.path:
                raise InvalidInput(f"{resource.id}: a field spec has no path")
            _walk(resource, resource.data, spec, spec.parts, new, make)


def _walk(
    resource: Resource, node: Any, spec: FieldSpec, parts: list[str], new: Set, make: Callable[[], Any] | None
) -> None:
    if node is None:
        return
    if isinstance(node, list):
        for item in node:
            if item is None:
                continue
            if not isinstance(item, (dict, list)):
                raise _no_collection(resource, spec)
            _walk(resource, item, spec, parts, new, make)
        return
    if not isinstance(node, dict):
        raise _no_collection(resource, spec)
    name, rest = parts[0].removesuffix("[]"), parts[1:]
    creates = spec.create and make is not None and not parts[0].endswith("[]")
    if name not in node:
        if not creates:
            return
        node[name] = _start(make) if not rest else {}
    elif node[name] is None and (creates or parts[0].endswith("[]")):
        node[name] = [] if parts[0].endswith("[]") else (_start(make) if not rest else {})
    if rest:
        _walk(resource, node[name], spec, rest, new, make)
    else:
        node[name] = new(node[name])


def _start(make: Callable[[], Any] | None) -> Any:
    return make() if make else None


def _no_collection(resource: Resource, spec: FieldSpec) -> InvalidInput:
    message = f"{resource.id}: {spec.path} leads through something that is neither a mapping nor a list"
    return InvalidInput(message, where=resource.where(spec.path.replace("/", ".")))


def split_path(path: str, separator: str) -> list[str]:
    """The parts of a path, where a backslash before the separator makes it part of a key. One may stand in front."""
    pieces = path.split(separator)
    parts: list[str] = []
    for piece in pieces[1:] if len(pieces) > 1 and not pieces[0] else pieces:
        if parts and parts[-1].endswith("\\"):
            parts[-1] = parts[-1][:-1] + separator + piece
        else:
            parts.append(piece)
    return parts
