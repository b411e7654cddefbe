"""What an ImagePolicy's status says of its choice: `latestRef`, `observedPreviousRef` and the message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.common import mapping
from tidegate.kinds.image_policy import ImagePolicy


@frozen
class ImageRef:
    """An image as an ImageRepository names it, a tag, and the tag's digest where it was looked up (else empty)."""

    name: str
    tag: str
    digest: str = ""

    @classmethod
    def read(cls, value: object) -> ImageRef | None:
        """One out of a status; None where there is none."""
        found = mapping(value)
        if not found.get("name") or not found.get("tag"):
            return None
        return cls(str(found["name"]), str(found["tag"]), str(found.get("digest") or ""))

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    def patch(self) -> dict[str, str | None]:
        """As a merge patch, in which no digest removes the one that was there."""
        return {"name": self.name, "tag": self.tag, "digest": self.digest or None}


@frozen
class Latest:
    """The choice now, and the one before it."""

    ref: ImageRef
    previous: ImageRef | None
    changed: bool

    @classmethod
    def after(cls, status: Mapping[str, Any], ref: ImageRef) -> Latest:
        """The choice `ref` of a policy that has this status; the one before stays where nothing changes."""
        before = ImageRef.read(status.get("latestRef"))
        if before == ref:
            return cls(ref, ImageRef.read(status.get("observedPreviousRef")), changed=False)
        return cls(ref, before, changed=True)

    def message(self) -> str:
        """As Flux words it."""
        words = f"Latest image tag for {self.ref.name} resolved to {self.ref.tag}"
        if self.ref.digest:
            words += f" with digest {self.ref.digest}"
        return f"{words} (previously {self.previous})" if self.previous else words

    def status(self) -> dict[str, Any]:
        """The merge patch of the status; `latestImage` is for those who read what Flux's older versions write."""
        previous = self.previous.patch() if self.previous else None
        image = f"{self.ref.name}:{self.ref.tag}"
        return {"latestRef": self.ref.patch(), "latestImage": image, "observedPreviousRef": previous}


def known_digest(spec: ImagePolicy, status: Mapping[str, Any], ref: ImageRef) -> str | None:
    """The digest that `digestReflectionPolicy` gives the choice without asking the registry; None where it must be
    asked: always for Always, for IfNotPresent where the choice is new or has none yet.
    """
    if spec.digest_policy == "Never":
        return ""
    before = ImageRef.read(status.get("latestRef"))
    same = before is not None and (before.name, before.tag) == (ref.name, ref.tag)
    if spec.digest_policy == "IfNotPresent" and before is not None and same and before.digest:
        return before.digest
    return None
