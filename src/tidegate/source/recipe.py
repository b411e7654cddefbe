"""How a source's files are made from repositories on this disk: Flux packs them into an archive, we only name them.

Of a recipe the digest is known without reading a file: two artifacts with one digest hold the same files. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tidegate.base.frozen import frozen


@frozen
class Submodule:
    """A commit of another repository, whose files lie below `path`."""

    path: str
    location: str
    commit: str


@frozen
class Inclusion:
    """Another source's artifact, of which what lies at `from_path` (where that is empty, all) is laid at `to_path`."""

    from_path: str
    to_path: str
    recipe: Recipe


@frozen(kw_only=True)
class Recipe:
    """A commit of the repository at `location`, whose tree has the id `tree`: of it and of its submodules (None: they
    are not wanted) what lies in the folders `sparse` (all where there are none), with others' artifacts laid in, and
    without what `ignore` and `.sourceignore` leave out.
    """

    location: str
    commit: str
    tree: str
    ignore: str | None = None
    submodules: tuple[Submodule, ...] | None = None
    sparse: tuple[str, ...] = ()
    includes: tuple[Inclusion, ...] = ()

    @property
    def digest(self) -> str:
        """The artifact's digest, in Flux's form. A tree names the commits of its submodules."""
        said: dict[str, Any] = {"tree": self.tree, "ignore": self.ignore}
        if self.submodules is not None:
            said["submodules"] = True
        if self.sparse:
            said["sparse"] = self.sparse
        if self.includes:
            said["includes"] = [(one.from_path, one.to_path, one.recipe.digest) for one in self.includes]
        text = json.dumps(said, sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        modules = self.submodules
        return {
            "location": self.location,
            "commit": self.commit,
            "tree": self.tree,
            "ignore": self.ignore,
            "submodules": None if modules is None else [[one.path, one.location, one.commit] for one in modules],
            "sparse": list(self.sparse),
            "includes": [[one.from_path, one.to_path, one.recipe.as_json()] for one in self.includes],
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Recipe:
        """From what `as_json` made; ValueError where it is something else."""
        try:
            modules = kept["submodules"]
            return cls(
                location=str(kept["location"]),
                commit=str(kept["commit"]),
                tree=str(kept["tree"]),
                ignore=kept["ignore"],
                submodules=None if modules is None else tuple(Submodule(*one) for one in modules),
                sparse=tuple(kept["sparse"]),
                includes=tuple(Inclusion(one, other, cls.of_json(recipe)) for one, other, recipe in kept["includes"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no recipe: {error}") from None
