"""From a source and the commit that it names now to the recipe of its artifact."""

from __future__ import annotations

from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.objects import Object
from tidegate.source.reading import FoundSource
from tidegate.source.recipe import Recipe


async def recipe_of(obj: Object, found: FoundSource) -> Recipe:
    """The recipe of what a source names; all that it needs is on this disk then."""
    spec = GitRepository.from_object(obj)
    commit = await found.repository.log(found.commit)
    return Recipe(str(found.repository.path), found.commit, commit.tree, spec.ignore)
