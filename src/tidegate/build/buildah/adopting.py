"""From buildah's image to one of ours: its layers written again without times and names, the base's own blobs, our
configuration's rules. So the same Dockerfile has the same digest whenever it is built. Blocks.
"""

from __future__ import annotations

import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.build.assemble import BASE_LABEL, Built, finish
from tidegate.build.bases import Foundation
from tidegate.build.buildah.command import STUB, is_ours
from tidegate.build.layering import LEVEL, MTIME
from tidegate.build.request import BuildRequest
from tidegate.build.sandboxing.difference import MOMENTARY
from tidegate.build.store import BuildStore, key_of
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform
from tidegate.oci.rewriting import rewrite_layer
from tidegate.oci.values import Descriptor, History, ImageConfig, Index, Manifest

_NOP = "/bin/sh -c #(nop) "
_RECORD = "rewritten"
_FORMAT = 2
"""Raise it where a layer would be written otherwise."""


def adopt_image(
    layout: Path,
    request: BuildRequest,
    store: BuildStore,
    foundation: Foundation,
    platform: Platform,
    scratch: Path,
    *,
    pip: bool,
) -> Built:
    """Take the one image of an OCI layout, which stands on `foundation`, into the store; `pip` says that its lines were
    given a pip.conf. Raises InvalidInput.
    """
    index = Index.from_bytes((layout / "index.json").read_bytes())
    manifest = Manifest.from_bytes(_blob(layout, index.manifests[0]).read_bytes())
    config = ImageConfig.from_bytes(_blob(layout, manifest.config).read_bytes())
    base = foundation.config
    below = len(base.diff_ids)
    if config.diff_ids[:below] != base.diff_ids:
        raise InvalidInput(f"buildah's image for {platform} does not stand on {foundation.name}")
    created = rfc3339(datetime.fromtimestamp(request.created, UTC))
    layers, diff_ids, empty = list(foundation.layers), list(base.diff_ids), []
    for layer, diff_id in zip(manifest.layers[below:], config.diff_ids[below:], strict=True):
        made = _rewritten(_blob(layout, layer), diff_id, store, scratch, pip=pip)
        empty.append(made is None)
        if made is not None:
            layers.append(made[0])
            diff_ids.append(made[1])
    labels = dict(config.config.labels)
    if foundation.stands_in:
        labels[BASE_LABEL] = foundation.stands_in
    finished = ImageConfig(
        platform,
        tuple(diff_ids),
        replace(config.config, labels=labels | dict(request.labels)),
        created,
        base.author,
        (*base.history, *_history(config.history[len(base.history) :], created, empty)),
        {name: value for name, value in base.other.items() if name in ("os.version", "os.features")},
    )
    return finish(request, store, foundation, finished, layers)


def _blob(layout: Path, descriptor: Descriptor) -> Path:
    return layout / "blobs" / descriptor.digest.replace(":", "/")


def _rewritten(
    blob: Path, diff_id: str, store: BuildStore, scratch: Path, *, pip: bool
) -> tuple[Descriptor, str] | None:
    """The layer as ours, by its old diff_id where that was made before; None where nothing of it is left."""
    key = key_of({"format": _FORMAT, "mtime": MTIME, "layer": diff_id, "pip": pip})
    record = store.record(_RECORD, key)
    if record is not None:
        descriptor = Descriptor.from_json(record["layer"]) if record["layer"] else None
        if descriptor is None or store.has_blob(descriptor):
            return None if descriptor is None else (descriptor, record["diff_id"])
    target = scratch / f"rewritten-{key}"

    def wanted(member: tarfile.TarInfo) -> bool:
        stub = member.size == 0 and member.mode & 0o7777 == STUB
        return member.name not in MOMENTARY and not is_ours(member.name, stub=stub, pip=pip)

    made = rewrite_layer(blob, target, mtime=MTIME, level=LEVEL, wanted=wanted)
    if made is None:
        store.remember(_RECORD, key, {"layer": None, "diff_id": ""})
        return None
    store.adopt_blob(made.path, made.descriptor.digest)
    store.remember(_RECORD, key, {"layer": made.descriptor.as_json(), "diff_id": made.diff_id})
    return made.descriptor, made.diff_id


def _history(lines: tuple[History, ...], created: str, empty: list[bool]) -> list[History]:
    """buildah's lines as ours: what was written in the Dockerfile, at the image's own time."""
    found = []
    gone = iter(empty)
    for line in lines:
        text = line.created_by.removeprefix(_NOP).strip()
        found.append(History(text, created, "buildah", empty_layer=line.empty_layer or next(gone, True)))
    return found
