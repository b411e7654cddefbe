"""Which fields of a Kustomization are done here; any other is refused by its name, never passed over. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

SUPPORTED = frozenset(
    {"interval", "retryInterval", "timeout", "path", "prune", "sourceRef", "targetNamespace", "suspend", "wait",
     "healthChecks", "dependsOn", "force", "deletionPolicy", "patches", "patchesStrategicMerge", "patchesJson6902",
     "images", "components", "ignoreMissingComponents", "namePrefix", "nameSuffix", "commonMetadata", "postBuild"}
)  # fmt: skip
"""What every home does."""
ELSEWHERE = frozenset({"serviceAccountName", "kubeConfig"})
"""What a home with accounts, or one that reaches other clusters, does too."""
_INSIDE = (("dependsOn", "readyExpr"), ("kubeConfig", "configMapRef"))


def unsupported(spec: Mapping[str, Any], supported: Collection[str]) -> list[str]:
    """The fields that a spec has and this home doesn't do, by their paths in it."""
    found = [name for name in spec if name not in supported]
    for outer, inner in _INSIDE:
        value = spec.get(outer)
        if outer not in supported or not value:
            continue
        if isinstance(value, list):
            found += [
                f"{outer}[{at}].{inner}" for at, one in enumerate(value) if isinstance(one, dict) and inner in one
            ]
        elif inner in value:
            found.append(f"{outer}.{inner}")
    return sorted(found)
