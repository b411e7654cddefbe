"""From layers to an image: its configuration, history and manifest, reproducible from the request alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tidegate.base.frozen import frozen
from tidegate.build.bases import Foundation
from tidegate.build.layering import Made
from tidegate.build.plan import Plan
from tidegate.build.request import BuildRequest
from tidegate.build.steps import Step
from tidegate.build.store import BuildStore
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Repository
from tidegate.oci.image import image_manifest
from tidegate.oci.values import Descriptor, History, ImageConfig, Manifest

BASE_LABEL = "tidegate.dev/base"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


@frozen
class Built:
    """One platform's finished image, all of it in the store: the manifest, and every blob that it names.

    `mountable` says of a blob's digest which repository has it already.
    """

    platform: Platform
    descriptor: Descriptor
    blobs: tuple[Descriptor, ...]
    mountable: Mapping[str, Repository]


def assemble(
    request: BuildRequest,
    store: BuildStore,
    foundation: Foundation,
    planned: Plan,
    steps: Sequence[tuple[Step, Made | None]],
    platform: Platform,
) -> Built:
    """Put an image together and keep its documents in the store."""
    created = rfc3339(datetime.fromtimestamp(request.created, UTC))
    labels = dict(planned.config.labels)
    if foundation.stands_in:
        labels[BASE_LABEL] = foundation.stands_in
    base = foundation.config
    config = ImageConfig(
        platform,
        base.diff_ids,
        replace(planned.config, labels=labels | dict(request.labels)),
        created,
        base.author,
        base.history,
        {name: value for name, value in base.other.items() if name in ("os.version", "os.features")},
    )
    layers = list(foundation.layers)
    for step, made in steps:
        line = History(step.text, created, "tidegate")
        if made is not None and made.descriptor is not None:
            config = config.with_layer(made.diff_id, line)
            layers.append(made.descriptor)
        else:
            config = replace(config, history=(*config.history, replace(line, empty_layer=True)))
    return finish(request, store, foundation, config, layers)


def finish(
    request: BuildRequest, store: BuildStore, foundation: Foundation, config: ImageConfig, layers: Sequence[Descriptor]
) -> Built:
    """The image of a configuration and its layers, which stands on `foundation`: its documents go into the store."""
    annotations = dict(request.annotations)
    if foundation.digest:
        annotations = {BASE_NAME: foundation.name, BASE_DIGEST: foundation.digest} | annotations
    manifest, data = image_manifest(config, layers, annotations)
    body = manifest.to_bytes()
    store.put_blob(data)
    store.put_blob(body)
    descriptor = Descriptor.of(manifest.media_type, body, config.platform)
    source = foundation.source
    mountable = {} if source is None else {layer.digest: source for layer in foundation.layers}
    return Built(config.platform, descriptor, (manifest.config, *manifest.layers), mountable)


def built_from_store(store: BuildStore, platform: Platform, descriptor: Descriptor) -> Built:
    """An image that the store has already, such as a base."""
    manifest = Manifest.from_bytes(store.read_blob(descriptor.digest))
    return Built(platform, replace(descriptor, platform=platform), (manifest.config, *manifest.layers), {})
