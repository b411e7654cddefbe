"""How a source's files are made from repositories on this disk: Flux packs them into an archive, we only name them.

Of a recipe the digest is known without reading a file: two artifacts with one digest hold the same files. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """A commit of the repository at `location`, whose tree has the id `tree`, without what `ignore` and `.sourceignore`
    leave out.
    """

    location: str
    commit: str
    tree: str
    ignore: str | None = None

    @property
    def digest(self) -> str:
        """The artifact's digest, in Flux's form."""
        said = json.dumps({"tree": self.tree, "ignore": self.ignore}, sort_keys=True)
        return f"sha256:{hashlib.sha256(said.encode('utf-8', 'surrogateescape')).hexdigest()}"

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {"location": self.location, "commit": self.commit, "tree": self.tree, "ignore": self.ignore}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Recipe:
        """From what `as_json` made; ValueError where it is something else."""
        try:
            return cls(str(kept["location"]), str(kept["commit"]), str(kept["tree"]), kept.get("ignore"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no recipe: {error}") from None
