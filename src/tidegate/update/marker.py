"""A marked value, and the comment that marks it: `# {"$imagepolicy": "flux-system:web:tag"}`. Pure."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from tidegate.base.frozen import frozen
from tidegate.base.showing import showable
from tidegate.update.objects import ObjectIdentity

KEY = "$imagepolicy"
WORD = '"$imagepolicy"'
SUFFIXES = ("tag", "name", "digest")
SHOWN = 200
SETTERS_SHARED = 1024
# What no object is called is no marker: such a name would only be repeated in messages.
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,253}", re.ASCII)


@frozen
class Marker:
    """A marked value: its policy as written (`NS:NAME`, then `:tag`, `:name` or `:digest`), where its characters are
    in the file (bytes), how they are quoted (`''`, `'`, `"`, `|`, `>`), and the object that holds it.
    """

    setter: str
    line: int
    start: int
    end: int
    style: str
    value: str
    object: ObjectIdentity

    @property
    def policy(self) -> str:
        """`NS:NAME`."""
        return _parts(self.setter)[0]

    @property
    def part(self) -> str:
        """What of the reference is meant: `tag`, `name`, `digest`, or all of it (empty)."""
        return part_of(self.setter)


def part_of(setter: str) -> str:
    """What stands behind `NS:NAME` in a setter; empty where nothing does."""
    return _parts(setter)[1]


@lru_cache(maxsize=SETTERS_SHARED)
def _parts(setter: str) -> tuple[str, str]:
    """`NS:NAME` and what stands behind it. Asked of every marker whenever an update is planned."""
    namespace, _, rest = setter.partition(":")
    name, _, part = rest.partition(":")
    return f"{namespace}:{name}", part


@frozen
class Problem:
    """Why something in a file with markers is not touched."""

    line: int | None
    message: str


@frozen
class FileMarkers:
    """What was found in one file."""

    markers: tuple[Marker, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_comment(comment: str) -> tuple[str | None, str | None]:
    """The setter that a comment names, or what is wrong with it; neither where it is no marker.

    A marker is a JSON object of texts, and nothing else stands in the comment (as kyaml reads it).
    """
    body = comment.lstrip("#").strip()
    if WORD not in body or not body.startswith("{"):
        return None, None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None, "the marker is not a JSON object by itself"
    if not all(isinstance(value, str) for value in fields.values()):
        return None, "the marker's values are not all texts"
    setter = fields.get(KEY, "")
    parts = setter.split(":")
    named = len(parts) in (2, 3) and all(map(_NAME.fullmatch, parts[:2]))
    if not named or (len(parts) == 3 and parts[2] not in SUFFIXES):
        said = f"{showable(setter, SHOWN)!r} names no policy"
        return None, f"{said}: write NAMESPACE:NAME, then nothing or :tag, :name or :digest"
    return setter, None
