"""The actions that are built in, whatever ref a workflow names: what each takes, and what it does here."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.runner.actions.action import Action
from tidegate.runner.actions.build_push import BuildPush
from tidegate.runner.actions.checkout import Checkout
from tidegate.runner.actions.docker_setup import SetupBuildx, SetupQemu
from tidegate.runner.actions.login import DockerLogin
from tidegate.runner.actions.metadata import ImageMetadata
from tidegate.runner.actions.setup_python import SetupPython

BUILT_IN: Mapping[str, Action] = {
    action.inputs.action: action
    for action in (Checkout(), SetupQemu(), SetupBuildx(), DockerLogin(), ImageMetadata(), BuildPush(), SetupPython())
}


def built_in(uses: str) -> Action | None:
    """The built-in action that `uses` names (`owner/name@ref`, letter case aside), or None."""
    name, _, ref = uses.partition("@")
    return BUILT_IN.get(name.lower()) if ref else None
