"""The actions that are built in, whatever ref a workflow names: what each takes, and what it does here.

Each is loaded when a workflow uses it: a process that runs none has none in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import cast

from tidegate.runner.actions.action import Action

BUILT_IN: Mapping[str, tuple[str, str]] = {
    "actions/checkout": ("checkout", "Checkout"),
    "actions/setup-python": ("setup_python", "SetupPython"),
    "actions/setup-node": ("setup_node", "SetupNode"),
    "actions/upload-artifact": ("artifacts", "UploadArtifact"),
    "actions/download-artifact": ("artifacts", "DownloadArtifact"),
    "actions/cache": ("cache", "CacheBoth"),
    "actions/cache/restore": ("cache", "CacheRestore"),
    "actions/cache/save": ("cache", "CacheSave"),
    "docker/setup-qemu-action": ("docker_setup", "SetupQemu"),
    "docker/setup-buildx-action": ("docker_setup", "SetupBuildx"),
    "docker/login-action": ("login", "DockerLogin"),
    "docker/metadata-action": ("metadata", "ImageMetadata"),
    "docker/build-push-action": ("build_push", "BuildPush"),
}
"""Their names, each with the module and the class that do it."""


def built_in(uses: str) -> Action | None:
    """The built-in action that `uses` names (`owner/name@ref`, letter case aside), or None."""
    name, _, ref = uses.partition("@")
    return _loaded(name.lower()) if ref and name.lower() in BUILT_IN else None


@cache
def _loaded(name: str) -> Action:
    module, kind = BUILT_IN[name]
    return cast(Action, getattr(import_module(f"{__name__}.{module}"), kind)())
