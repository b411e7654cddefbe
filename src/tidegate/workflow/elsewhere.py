"""How a workflow names what is in another repository: `OWNER/NAME[/PATH]@REF`. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen

_USES = re.compile(
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})/(?P<name>[A-Za-z0-9_.-]{1,100})(?P<path>/[^@\s\\]*)?@(?P<ref>[!-~]{1,250})"
)


@frozen
class Elsewhere:
    """A place in another repository: `repository` is OWNER/NAME, `path` a file or folder in it (its root: the empty
    string), `ref` a tag, a branch or a commit.
    """

    repository: str
    path: str
    ref: str

    @property
    def key(self) -> str:
        """What is looked up: the repository at that ref, the letter case of its name aside."""
        return f"{self.repository.lower()}@{self.ref}"

    @property
    def owner(self) -> str:
        """Whose repository it is."""
        return self.repository.partition("/")[0]

    def at(self, path: str) -> str:
        """How another path of the same repository and ref is named."""
        return f"{self.repository}/{path}@{self.ref}"


Read = Callable[[str], bytes | None]
"""A file's bytes by its path; None where there is none."""
Lookup = Callable[[Elsewhere], "Read | TidegateError | None"]
"""The files of another repository; what keeps them from being had; None where they are not known (yet)."""


def nothing_known(_: Elsewhere) -> Read | TidegateError | None:
    """Where nobody is asked for other repositories."""
    return None


def elsewhere(uses: str) -> Elsewhere | None:
    """What `uses` names in another repository; None where it names something else, or leads out of it."""
    found = _USES.fullmatch(uses)
    if found is None or found["name"] in (".", "..") or found["ref"].startswith("-"):
        return None
    path = (found["path"] or "").removeprefix("/")
    if (path and posixpath.normpath(path) != path) or path.startswith(("/", "..")):
        return None
    return Elsewhere(f"{found['owner']}/{found['name']}", path, found["ref"])
