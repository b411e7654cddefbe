"""What a Kustomization's folder comes to, in the way Flux builds it. Pure, but for reading the given files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.deploy.checking import check
from tidegate.deploy.home_check import Check
from tidegate.deploy.kustomize.build import build_resources
from tidegate.deploy.kustomize.overlay import Overlay
from tidegate.deploy.kustomize.resource import Resource
from tidegate.deploy.post_build import put_in
from tidegate.kinds.kustomization import Kustomization
from tidegate.kinds.objects import Object


@frozen
class Wish:
    """What is to be rendered: a folder (empty for the root), with what its Kustomization says on top. `variables` are
    put in where they are not None.
    """

    path: str
    overlay: Overlay | None = None
    variables: Mapping[str, str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Kustomization, variables: Mapping[str, str] | None) -> Wish:
        """From a spec; InvalidInput names a wrong field."""
        path = spec.path.removeprefix("./").strip("/").removeprefix(".")
        overlay = Overlay.of(spec.overlay, spec.target_namespace)
        return cls(path, overlay, variables, spec.common_labels, spec.common_annotations)


def render(files: Files, wish: Wish, also: Check | None = None) -> list[Object]:
    """The objects, in kustomize's order.

    As Flux: a folder without a kustomization file stands for all YAML files below it, and a kustomization may use any
    file of the tree. Raises InvalidInput or NotFound with the file, line and field at fault; with `also`, too, where
    an object of one of our kinds, or by it, has a wrong field.
    """
    found = build_resources(files, wish.path, restricted=False, plain_folders=True, overlay=wish.overlay)
    if wish.variables is not None:
        put_in(found, wish.variables)
    if also is not None:
        check(found, files, also)
    for resource in found:
        _set_common(resource, wish)
    return [resource.data for resource in found]


def _set_common(resource: Resource, wish: Wish) -> None:
    for name, texts in (("labels", wish.labels), ("annotations", wish.annotations)):
        if texts:
            resource.metadata[name] = {**(resource.metadata.get(name) or {}), **texts}
