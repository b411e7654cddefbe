"""The build's own process: `python -m tidegate.build.child`, a request on stdin, JSON lines on stdout.

It lives apart so that its memory is limited and given back, and so that a build never stops the server's event loop.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Callable
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.base.steps import Step, reach
from tidegate.build.builder import Builder
from tidegate.build.errors_json import error_json
from tidegate.build.index_settings import IndexSettings
from tidegate.build.publish import publish
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.build.store import BuildStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Credentials

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of address space; a build that needs more is wrong or hostile."""


def main() -> int:
    """Build what stdin says; exit 0 also where the build failed, which the last line then says."""
    limit_memory()
    value = json.loads(sys.stdin.buffer.read())
    request = BuildRequest.from_json(value["request"])
    registry = RegistrySettings.from_json(value["registry"])
    settings = IndexSettings.from_json(value["index"])
    try:
        result = asyncio.run(build(request, registry, settings, lambda line: _say({"log": line})))
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
    """Bound this process's address space; a lower bound that it has already stays."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


async def build(
    request: BuildRequest, registry: RegistrySettings, settings: IndexSettings, log: Callable[[str], None]
) -> BuildResult:
    """Build and push in this process; raises what `build_image` does."""
    store = BuildStore(request.cache)
    credentials = Credentials(registry.logins)
    client, sources = RegistryClient(registry.endpoints, credentials), RegistryClient(registry.sources, credentials)
    with store.scratch() as scratch:
        async with client, sources:
            built = await Builder(request, store, sources, settings, scratch, log).build()
            result = await publish(built, request.tags, request.annotations, store, client)
    reach(Step.IMAGE_BUILT)
    return result


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
