"""What a Kustomization's folder comes to, in the way Flux builds it. Pure, but for reading the given files."""

from __future__ import annotations

from tidegate.base.files import Files
from tidegate.deploy.checking import check
from tidegate.deploy.home_check import Check, no_problems
from tidegate.deploy.kustomize.build import build_resources
from tidegate.deploy.kustomize.resource import Resource
from tidegate.kinds.objects import Object


def render(files: Files, path: str) -> list[Object]:
    """The objects of the folder `path` (empty for the root), in kustomize's order.

    As Flux: a folder without a kustomization file stands for all YAML files below it, and a kustomization may use any
    file of the tree. Raises InvalidInput or NotFound with the file, line and field at fault.
    """
    return [found.data for found in _resources(files, path)]


def render_checked(files: Files, path: str, also: Check = no_problems) -> list[Object]:
    """As `render`; InvalidInput also where an object of one of our kinds, or by `also`, has a wrong field."""
    found = _resources(files, path)
    check(found, files, also)
    return [resource.data for resource in found]


def _resources(files: Files, path: str) -> list[Resource]:
    return build_resources(files, path, restricted=False, plain_folders=True)
