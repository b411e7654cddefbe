"""The commits that a run takes from other repositories. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.frozen import frozen


@frozen
class Pin:
    """A ref of another repository and the commit that it stands for in a run. `url` is where that was fetched from,
    empty for a repository that is hosted here.
    """

    repository: str
    ref: str
    commit: str
    url: str = ""

    @property
    def key(self) -> str:
        """As `Elsewhere.key`."""
        return f"{self.repository.lower()}@{self.ref}"

    def as_json(self) -> dict[str, str]:
        """The form in a run's status."""
        found = {"repository": self.repository, "ref": self.ref, "commit": self.commit, "url": self.url}
        return {name: value for name, value in found.items() if value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Pin:
        """Read it back."""
        return cls(*(str(value.get(name, "")) for name in ("repository", "ref", "commit", "url")))


Pins = Mapping[str, Pin]
"""By key."""
