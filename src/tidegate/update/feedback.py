"""The run-time guard against loops: is this update the echo of the automation's own commits?

An image says in a label from which commit it was built. Where that commit is the automation's own, the image that it
had set is asked the same, and so on: the length of that chain is how often the loop has gone round. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen

ALLOWED = 3


class LoopFoundError(Exception):
    """The chain is longer than ALLOWED; `links` are its images and commits, newest first."""

    def __init__(self, links: list[Link]):
        super().__init__()
        self.links = links

    def explain(self) -> str:
        """The cycle in words, and what breaks it."""
        way = " <- ".join(f"{link.image} built from {link.commit[:12]}" for link in self.links)
        return (
            f"feedback loop: {len(self.links)} automation commits in a row were caused by builds of automation commits "
            f"({way}); the automation is suspended. Restrict the workflow's `on.push.paths` so that it leaves out the "
            "files that the automation writes, then resume."
        )


@frozen
class Link:
    """One turn of the loop: an image, and the automation's commit from which it was built."""

    image: str
    commit: str


async def check(
    image: str,
    *,
    revision_of: Callable[[str], Awaitable[str | None]],
    is_own: Callable[[str], Awaitable[bool]],
    image_at: Callable[[str], Awaitable[str | None]],
) -> None:
    """Raise LoopFoundError where `image` is the end of too long a chain.

    `revision_of` answers from which commit an image was built, `is_own` whether a commit is the automation's own, and
    `image_at` which image the same marker had at a commit.
    """
    links: list[Link] = []
    present: str | None = image
    while present is not None:
        commit = await _revision(present, revision_of)
        if commit is None or not await is_own(commit):
            return
        links.append(Link(present, commit))
        if len(links) > ALLOWED:
            raise LoopFoundError(links)
        present = await image_at(commit)


async def _revision(image: str, revision_of: Callable[[str], Awaitable[str | None]]) -> str | None:
    try:
        return await revision_of(image)
    except NotFound:
        return None
