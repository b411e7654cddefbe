"""Fields of an object that a Kustomization leaves as they are: what was said on the command line, or by hand. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.kinds.common import mapping
from tidegate.kinds.git_repository import bare_url
from tidegate.kinds.objects import Object, annotation

KEEP = "tidegate.dev/keep"
"""An annotation of a live object: names of fields of its spec that no Kustomization sets, parted by commas. Names that
`+` joins are one thing: all of them are kept where the first one is otherwise than in Git, and none where it is alike.
"""
SOURCE_FIELDS = ("url+secretRef+proxySecretRef+provider", "ref")
"""Where a GitRepository is fetched from, and as whom: a credential for another URL is none for this one."""
SYNC_FIELDS = ("path", "sourceRef")
"""What a Kustomization applies."""


def keeping(obj: Object, fields: Sequence[str]) -> Object:
    """`obj` with the mark that these fields of its spec are kept."""
    metadata = obj["metadata"]
    marks = {**(metadata.get("annotations") or {}), KEEP: ",".join(fields)}
    return obj | {"metadata": metadata | {"annotations": marks}}


def without_kept(wanted: Object, live: Object) -> tuple[Object, list[str]]:
    """`wanted` without the fields that `live` keeps, and the paths of those in which the two differ."""
    spec, present = mapping(wanted.get("spec")), mapping(live.get("spec"))
    kept: set[str] = set()
    differing = []
    for group in filter(None, (annotation(live, KEEP) or "").replace(" ", "").split(",")):
        names = group.split("+")
        kept.add(names[0])
        if not _alike(spec.get(names[0]), present.get(names[0])):
            kept.update(names)
            differing += [f"spec.{name}" for name in names if spec.get(name) != present.get(name)]
    if kept.isdisjoint(spec):
        return wanted, differing
    return wanted | {"spec": {name: value for name, value in spec.items() if name not in kept}}, differing


def _alike(one: object, other: object) -> bool:
    """Whether two values say the same, be it a URL written with `.git` or without."""
    if isinstance(one, str) and isinstance(other, str):
        return bare_url(one) == bare_url(other)
    return one == other
