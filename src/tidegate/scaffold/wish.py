"""What somebody wants to add, checked before anything is read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.reference import parse_repository

LONGEST_NAME = 63
RESERVED = ("default", "flux-system", "kube-node-lease", "kube-public", "kube-system")
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_FOLDER = re.compile(r"(?:(?!\.\.?(?:/|$))[\w.\-]+(?:/(?!$)|$))+", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][\w.\-/:]*", re.ASCII)
_OBJECT = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?", re.ASCII)


@frozen
class Wish:
    """An application to add. `image` is a repository without a tag, `source` the folder of this repository that is
    built (empty for its root), `brought` the files to put there (those of `executable` may be run); None and empty
    leave it to the repository's ways. `cluster` is the folder of the Flux objects that are meant, where several are.
    """

    name: str
    image: str | None = None
    port: int | None = None
    source: str | None = None
    brought: Mapping[str, bytes] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    own_automation: bool = False
    cluster: str | None = None


def check(wish: Wish) -> None:
    """Raise InvalidInput for a wish that no repository can fulfil."""
    check_name(wish.name)
    if wish.image is not None:
        check_image(wish.image)
    if wish.port is not None and not 0 < wish.port < 65536:
        raise InvalidInput(f"{wish.port} is no port: 1 to 65535")
    check_folders(wish.source, wish.cluster)


def check_folders(*folders: str | None) -> None:
    """Raise InvalidInput for a folder whose name means something in YAML, a pattern or an expression."""
    for folder in filter(None, folders):
        if not _FOLDER.fullmatch(folder):
            raise InvalidInput(
                f"the folder {folder!r} can't be written into a workflow as it is",
                remedy="letters, digits, _ - and . are taken, and / between folders",
            )


def check_objects(*names: str) -> None:
    """Raise InvalidInput for what is no name of an object or namespace, as a variable of Flux's is none."""
    for name in names:
        if not _OBJECT.fullmatch(name):
            raise InvalidInput(
                f"{name!r} is no object's name, so no new object can be given it",
                remedy="write it out where the repository's Flux objects or markers have it",
            )


def check_name(name: str) -> None:
    """Raise InvalidInput for what can't be the name of a Service, a namespace, an image and a folder alike."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InvalidInput(
            f"{name!r} is no name for an application",
            remedy=f"1 to {LONGEST_NAME} of a-z, 0-9 and -; a letter first, no - last (a DNS label)",
        )
    if name in RESERVED or name.startswith("kube-"):
        raise InvalidInput(f"{name!r} is the name of a namespace that Kubernetes or Flux uses", remedy="choose another")


def check_image(image: str) -> None:
    """Raise InvalidInput for what is no image's name, or has a tag: tags come from the workflow."""
    last = image.rpartition("/")[2]
    if ":" in last or "@" in image:
        raise InvalidInput(f"{image!r} has a tag", remedy="name the image alone: the workflow makes its tags")
    parse_repository(image)
    if not _IMAGE.fullmatch(image):
        raise InvalidInput(f"{image!r} is no image reference: its host has a character that no host has")
