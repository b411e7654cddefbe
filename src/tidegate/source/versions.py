"""Which tag of a repository `spec.ref.semver` names. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.kinds.semver import parse_tag
from tidegate.kinds.semver_ranges import Range

TAGS = "refs/tags/"


def newest_tag(refs: Iterable[str], wanted: Range) -> str | None:
    """The full ref of the highest version in a range; None where no tag is in it.

    As in Flux, a tag is a version only with two dots. Of tags that are equal as versions (`1.0.0` and `v1.0.0`, or
    different build metadata) the last in the alphabet counts, so that the order of a listing decides nothing.
    """
    best = None
    for ref in refs:
        if not ref.startswith(TAGS):
            continue
        version = parse_tag(ref.removeprefix(TAGS))
        if version is not None and wanted.admits(version):
            best = max(best, (version, ref)) if best else (version, ref)
    return best[1] if best else None
