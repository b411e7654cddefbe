"""Artifacts of runs at this door: listed, brought as the archives that they are (`gh run download`), deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response, StreamingResponse

from tidegate.base.errors import NotFound
from tidegate.runner.artifacts import Artifact, Artifacts
from tidegate.serve.github.call import Call, answer
from tidegate.serve.github.filters import page_of
from tidegate.serve.github.reading import Reading, pieces
from tidegate.serve.github.shapes import rfc3339


class ArtifactHandlers:
    """The handlers; `artifacts` is None where there are none."""

    def __init__(self, artifacts: Artifacts | None, reading: Reading):
        self._artifacts = artifacts
        self._reading = reading

    async def of_run(self, call: Call) -> Response:
        """The artifacts of a run, of all its attempts."""
        run = await self._reading.find_run(call)
        if self._artifacts is None:
            return _listing(call, [])
        return _listing(call, await asyncio.to_thread(self._artifacts.of_run, str(run["metadata"]["name"])))

    async def of_repository(self, call: Call) -> Response:
        """All artifacts of a repository's runs, the newest first; `name` picks those of one name."""
        return _listing(call, sorted(await self._all(call), key=lambda one: one.created, reverse=True))

    async def one(self, call: Call) -> Response:
        """One artifact by its number."""
        return answer(_shape(call, await self._found(call)))

    async def archive(self, call: Call) -> Response:
        """Its archive."""
        store, found = self._artifacts, await self._found(call)
        assert store is not None
        file = await asyncio.to_thread(store.open, found)
        headers = {
            "Content-Disposition": f'attachment; filename="artifact-{found.id}.zip"',
            "Content-Length": str(found.size),
        }
        return StreamingResponse(pieces(file), media_type="application/zip", headers=headers)

    async def delete(self, call: Call) -> Response:
        """Delete it."""
        store, found = self._artifacts, await self._found(call)
        assert store is not None
        await asyncio.to_thread(store.delete, found)
        return Response(None, 204)

    async def _found(self, call: Call) -> Artifact:
        number = int(call.parts["artifact"])
        found = next((one for one in await self._all(call) if one.id == number), None)
        if found is None:
            raise NotFound(f"no artifact of {call.repository} has the id {number}")
        return found

    async def _all(self, call: Call) -> Sequence[Artifact]:
        if self._artifacts is None:
            return []
        return await asyncio.to_thread(self._artifacts.of_repository, call.repository)


def _listing(call: Call, artifacts: Sequence[Artifact]) -> Response:
    if name := call.query.get("name"):
        artifacts = [one for one in artifacts if one.name == name]
    page = page_of(call.query)
    links = page.links(call.url, call.query, len(artifacts))
    shown = [_shape(call, one) for one in page.of(artifacts)]
    return answer({"total_count": len(artifacts), "artifacts": shown}, Link=links)


def _shape(call: Call, artifact: Artifact) -> dict[str, Any]:
    url = call.links.api(f"actions/artifacts/{artifact.id}")
    return {
        "id": artifact.id,
        "name": artifact.name,
        "size_in_bytes": artifact.size,
        "digest": f"sha256:{artifact.digest}",
        "url": url,
        "archive_download_url": f"{url}/zip",
        "expired": False,
        "created_at": rfc3339(int(artifact.created)),
        "updated_at": rfc3339(int(artifact.created)),
        "expires_at": rfc3339(int(artifact.expires)),
        "workflow_run": {"id": artifact.run_id},
    }
