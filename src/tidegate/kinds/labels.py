"""The labels by which clients of Flux, and we ourselves, find what runs Tidegate. Pure."""

from __future__ import annotations

import re

MANAGED_BY, OURS = "app.kubernetes.io/managed-by", "tidegate"
PART_OF, FLUX = "app.kubernetes.io/part-of", "flux"
VERSION = "app.kubernetes.io/version"
_NO_LABEL = re.compile(r"[^A-Za-z0-9_.-]")


def part_of_flux(version: str) -> dict[str, str]:
    """The labels of a controller and of a definition. `flux check`, `flux version` and `flux logs` look for what is
    part of flux; whose it is and in which version, the other two say, and `flux install` asks before it overrides that.
    """
    return {PART_OF: FLUX, MANAGED_BY: OURS, VERSION: _NO_LABEL.sub("_", f"{OURS}-{version}")}
