"""The model of an object of one of our kinds, found by its group and kind. Pure."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from tidegate.kinds.common import Model
from tidegate.kinds.objects import Object, group_of

_MODULES = {
    ("source.toolkit.fluxcd.io", "GitRepository"): "git_repository",
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): "kustomization",
    ("image.toolkit.fluxcd.io", "ImageRepository"): "image_repository",
    ("image.toolkit.fluxcd.io", "ImagePolicy"): "image_policy",
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation"): "image_update_automation",
    ("notification.toolkit.fluxcd.io", "Alert"): "alert",
    ("notification.toolkit.fluxcd.io", "Provider"): "provider",
    ("notification.toolkit.fluxcd.io", "Receiver"): "receiver",
    ("tidegate.dev", "Runner"): "runner",
    ("tidegate.dev", "WorkflowRun"): "workflow_run",
}


def model_of(obj: Object) -> Model | None:
    """The object read into its kind's model; None for a kind that has none, such as Kubernetes' own.

    Raises InvalidInput with the paths of wrong fields.
    """
    kind = str(obj.get("kind"))
    module = _MODULES.get((group_of(str(obj.get("apiVersion"))), kind))
    if module is None:
        return None
    # Imported late: a process may live without ever reading that kind.
    model = getattr(importlib.import_module(f"tidegate.kinds.{module}"), kind)
    read: Callable[[Object], Model] = model.from_object
    return read(obj)
