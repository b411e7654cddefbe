"""The build's own process: `python -m tidegate.build.child`, a request on stdin, JSON lines on stdout.

It lives apart so that its memory is limited and given back, and so that a build never stops the server's event loop.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.base.process import die_with_parent
from tidegate.base.steps import Step, reach
from tidegate.build.assemble import Built
from tidegate.build.bases import Bases
from tidegate.build.builder import Builder, Whole
from tidegate.build.contents import Contents
from tidegate.build.dockerfile import Dockerfile
from tidegate.build.errors_json import error_json
from tidegate.build.evicting import budget, evict
from tidegate.build.index_settings import IndexSettings
from tidegate.build.layering import Layers
from tidegate.build.publish import publish, write_output
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.build.sandboxing.sandboxed import Lines, Settings
from tidegate.build.store import BuildStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Credentials

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of address space; a build that needs more is wrong or hostile."""


def main() -> int:
    """Build what stdin says; exit 0 also where the build failed, which the last line then says."""
    limit_memory()
    die_with_parent()  # a user namespace that it was started in has cleared the death signal
    value = json.loads(sys.stdin.buffer.read())
    request = BuildRequest.from_json(value["request"])
    registry = RegistrySettings.from_json(value["registry"])
    settings = IndexSettings.from_json(value["index"])
    secrets = {name: base64.b64decode(text) for name, text in value.get("secrets", {}).items()}
    try:
        result = asyncio.run(build(request, registry, settings, lambda line: _say({"log": line}), secrets))
    except TidegateError as error:
        _say({"error": error_json(error)})
    except MemoryError:
        message = f"the build needs more than {MEMORY_LIMIT >> 20} MiB of memory"
        _say({"error": {"type": "LimitExceeded", "code": "LimitExceeded", "message": message}})
    except OSError as error:
        message = f"the build could not go on: {error}"
        _say({"error": {"type": "Unavailable", "code": "Unavailable", "message": message}})
    else:
        _say({"result": result.as_json()})
    return 0


def limit_memory(limit: int = MEMORY_LIMIT) -> None:
    """Bound this process's address space; a lower bound that it has already stays. What it runs may raise it again:
    an emulator reserves more than it uses.
    """
    present = resource.getrlimit(resource.RLIMIT_AS)
    bound = min([limit, *(one for one in present if one != resource.RLIM_INFINITY)])
    resource.setrlimit(resource.RLIMIT_AS, (bound, present[1]))


async def build(
    request: BuildRequest,
    registry: RegistrySettings,
    settings: IndexSettings,
    log: Callable[[str], None],
    secrets: Mapping[str, bytes] | None = None,
) -> BuildResult:
    """Build and push in this process; raises what `build_image` does."""
    store = BuildStore(request.cache)
    credentials = Credentials(registry.logins)
    client, sources = RegistryClient(registry.endpoints, credentials), RegistryClient(registry.sources, credentials)
    with store.scratch() as scratch:
        async with client, sources:
            given = Settings(settings, os.environ, secrets or {}, request.network, not request.no_cache)
            builder = _builder(request, store, sources, given, scratch, log)
            built = await builder.build()
            if request.sbom or request.provenance:
                built += await asyncio.to_thread(_attested, built, request, builder, store)
            annotations = request.annotations if request.index_annotations is None else request.index_annotations
            result = await publish(built, request.tags, annotations, store, client)
            if request.output is not None:
                name = str(request.tags[0]) if request.tags else None
                await asyncio.to_thread(write_output, request.output, built, result.index_digest, name, store, scratch)
            if request.cache_to:
                await _share(request, builder, built, store, client, log)
        disk = shutil.disk_usage(store.root).total
        await asyncio.to_thread(evict, store, budget(os.environ, disk))
    reach(Step.IMAGE_BUILT)
    return result


def _builder(
    request: BuildRequest,
    store: BuildStore,
    sources: RegistryClient,
    given: Settings,
    scratch: Path,
    log: Callable[[str], None],
) -> Builder:
    """The builder that is asked for; what few builds need is imported for them alone."""

    def sandbox(layers: Layers, contents: Contents) -> Lines:
        return Lines(given, store, scratch, layers, contents, log)

    def buildah(dockerfile: Dockerfile, text: str, bases: Bases, contents: Contents) -> Whole:
        from tidegate.build.buildah.building import Buildah  # noqa: PLC0415

        return Buildah(request, dockerfile, text, store, bases, contents, given, scratch, log)

    others = None
    if request.cache_from and not request.no_cache:
        from tidegate.build.sharing import Caches  # noqa: PLC0415

        others = Caches(request.cache_from, store, sources, log).find
    lines = sandbox if request.builder in ("auto", "mixed") else None
    whole = buildah if request.builder == "buildah" else None
    return Builder(request, store, sources, given.index, scratch, log, lines, whole, others)


def _attested(built: Sequence[Built], request: BuildRequest, builder: Builder, store: BuildStore) -> list[Built]:
    from tidegate.build.attesting.attaching import attest  # noqa: PLC0415 - few builds ask for statements

    return attest(built, request, builder.materials, store)


async def _share(
    request: BuildRequest,
    builder: Builder,
    built: Sequence[Built],
    store: BuildStore,
    client: RegistryClient,
    log: Callable[[str], None],
) -> None:
    """Keep the layers that the build used for other machines."""
    from tidegate.build.sharing import keep  # noqa: PLC0415 - few builds do

    records = {key: one for key in builder.used if (one := store.record("layers", key)) is not None}
    own = [blob.digest for one in built for blob in one.blobs]
    await keep(request.cache_to, records, own, store, client, log)


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
