"""Which objects wait for the same host: see engine.lanes."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.base.errors import InvalidInput
from tidegate.engine.lanes import LaneOf
from tidegate.kinds.common import mapping
from tidegate.kinds.objects import Object
from tidegate.kinds.reference import parse_repository


def registry_of(image_repository: Object) -> str:
    """The registry that an ImageRepository is scanned from; its image as it stands where that can't be read."""
    image = str(mapping(image_repository.get("spec")).get("image"))
    try:
        return parse_repository(image).registry
    except InvalidInput:
        return image


def git_host_of(git_repository: Object) -> str:
    """The host, with its port, that a GitRepository is fetched from."""
    url = str(mapping(git_repository.get("spec")).get("url"))
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()


LANES: Mapping[str, LaneOf] = {"ImageRepository": registry_of, "GitRepository": git_host_of}
