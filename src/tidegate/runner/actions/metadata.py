"""docker/metadata-action: an image's tags, labels and annotations from the run's event."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from tidegate.runner.actions.action import Call, Inputs, Outputs
from tidegate.runner.layout import TEMP
from tidegate.workflow.metadata import Metadata, Source, metadata

_SETTINGS = "DOCKER_METADATA_"
_VARIABLES = "DOCKER_METADATA_OUTPUT_"


class ImageMetadata:
    """Makes the metadata, and leaves it to later steps as outputs and, as the real action does, as variables."""

    inputs = Inputs(
        "docker/metadata-action",
        known={
            "context": "workflow", "images": "", "tags": "", "flavor": "", "labels": "", "annotations": "",
            "sep-tags": "", "sep-labels": "", "sep-annotations": "", "bake-target": "",
        },
        accepted=frozenset({"github-token"}),
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """The outputs of version 5. Raises InvalidInput for an entry that the action does not know."""
        settings = {name: value for name, value in call.environment.items() if name.startswith(_SETTINGS)}
        inputs = {name: call.inputs.get(name, "") for name in self.inputs.known}
        found = await asyncio.to_thread(metadata, inputs, _source(call, settings))
        for warning in found.warnings:
            await call.bench.say(f"##[warning]{warning}")
        await call.bench.say(*_shown(found))
        outputs = dict(found.outputs)
        for name in [name for name in outputs if name.startswith("bake-file")]:
            path = f"{TEMP}/docker-metadata-action-{name}-{secrets.token_hex(4)}.json"
            await asyncio.to_thread(call.bench.folder.write, path, outputs[name].encode())
            outputs[name] = call.bench.layout.inside(path)
        if settings.get(f"{_SETTINGS}SET_OUTPUT_ENV", "true").strip().lower() != "false":
            for name, value in outputs.items():
                call.bench.state.env[_VARIABLES + name.replace("-", "_").upper()] = value
        return outputs


def _source(call: Call, settings: Mapping[str, str]) -> Source:
    github = call.bench.github
    payload = github.get("event")
    return Source(
        event=str(github.get("event_name", "")),
        ref=str(github.get("ref", "")),
        sha=str(github.get("sha", "")),
        now=call.bench.clock.now(),
        payload=payload if isinstance(payload, Mapping) else {},
        settings=settings,
    )


def _shown(found: Metadata) -> list[str]:
    lines = [f"Version: {found.version}", "Tags:", *(f"  {tag}" for tag in found.tags)]
    return [*lines, "Labels:", *(f"  {name}={value}" for name, value in found.labels.items())]
