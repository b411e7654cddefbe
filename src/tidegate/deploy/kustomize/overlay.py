"""What a Flux Kustomization says beside its folder: as Flux does it, its patches, images, components, names and
namespace go into the folder's own kustomization file, behind what stands there. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.base.yaml import Path, field_path
from tidegate.deploy.kustomize.files import is_remote
from tidegate.deploy.kustomize.kustfile import SELECTOR, Kustfile
from tidegate.deploy.kustomize.shapes import ANY, TEXT, TEXTS, fit, list_of, map_of, record

_LISTS = ("patches", "patchesStrategicMerge", "patchesJson6902", "images", "components")
_SPEC = record(
    patches=list_of(record(patch=TEXT, target=SELECTOR)),
    patchesStrategicMerge=list_of(map_of(ANY)),
    patchesJson6902=list_of(record(patch=ANY, target=SELECTOR)),
    images=list_of(record(name=TEXT, newName=TEXT, newTag=TEXT, digest=TEXT)),
    components=TEXTS,
)


@frozen
class Overlay:
    """`fields` are those of a kustomization file, checked. Components that are not there are left out where
    `missing_components` may be.
    """

    fields: Mapping[str, Any]
    missing_components: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any], namespace: str | None) -> Overlay:
        """From the fields of a spec by their names there; InvalidInput names a wrong one."""
        lists = {name: spec[name] for name in _LISTS if name in spec}
        fields = fit(lists, _SPEC, _InSpec())
        fields["patchesStrategicMerge"] = [json.dumps(patch) for patch in fields.get("patchesStrategicMerge") or []]
        fields["patchesJson6902"] = [
            {**patch, "patch": json.dumps(patch.get("patch"))} for patch in fields.get("patchesJson6902") or []
        ]
        texts = {"namePrefix": spec.get("namePrefix"), "nameSuffix": spec.get("nameSuffix"), "namespace": namespace}
        fields |= {name: text for name, text in texts.items() if text}
        return cls({name: value for name, value in fields.items() if value}, bool(spec.get("ignoreMissingComponents")))

    def over(self, file: Kustfile, is_folder: Callable[[str], bool]) -> Kustfile:
        """The kustomization file with this in it; `is_folder` says whether there is a folder of a component."""
        merged = dict(file.fields)
        for name, value in self.fields.items():
            if name == "images":
                merged[name] = _images(file.records(name), value)
            elif name == "components":
                merged[name] = [*file.texts(name), *self._components(value, is_folder)]
            else:
                merged[name] = [*(merged.get(name) or []), *value] if isinstance(value, list) else value
        first = {name: len(file.fields.get(name) or []) for name in self.fields if name in _LISTS}
        return Kustfile(file.file, merged, file.document, first)

    def _components(self, names: list[str], is_folder: Callable[[str], bool]) -> list[str]:
        for index, name in enumerate(names):
            if is_remote(name) or name.startswith("/"):
                raise InvalidInput(
                    f"component path {name!r} must be local and relative", where=place("components", index)
                )
        return [name for name in names if not self.missing_components or is_folder(name)]


class _InSpec:
    """Places in the object instead of in a file."""

    def where(self, path: Path = ()) -> Where:
        return place(*path)

    def where_key(self, path: Path) -> Where:
        return place(*path)


def place(*path: str | int) -> Where:
    """A field of the object's spec."""
    return Where(field=field_path(("spec", *path)))


def _images(present: list[Mapping[str, Any]], given: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One of the same name takes the place of the file's own."""
    merged = list(present)
    for image in given:
        same = [index for index, other in enumerate(merged) if other.get("name") == image.get("name")]
        if same:
            merged[same[0]] = image
        else:
            merged.append(image)
    return merged
