"""A push whose job runs in a container beside a service, both images of the home's own registry: a whole Tidegate."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from container_world import SERVE, need_podman, push_tools
from crash_world import World
from whole_world import opened

pytestmark = pytest.mark.integration
WORKFLOW = """\
on: push
jobs:
  contained:
    runs-on: ubuntu-latest
    container: ghcr.io/acme/tools:1
    services:
      web:
        image: ghcr.io/acme/web:1
        env: {WORD: a word of the service}
        options: --health-cmd "wget -q -O- http://localhost/word" --health-interval 1s --health-retries 60
    steps:
      - uses: actions/checkout@v4
      - run: test -s app/word && wget -q -O- http://web/word
"""


async def test_a_push_runs_a_job_in_a_container_beside_a_service(tmp_path):
    need_podman()
    world = await World.make(tmp_path)
    async with opened(world) as doors:
        await push_tools(doors.url, doors.credential, "acme/tools", "1")
        await push_tools(doors.url, doors.credential, "acme/web", "1", Entrypoint=["/bin/sh", "-c", SERVE])
        await doors.commit("Test in a container", {".github/workflows/contained.yaml": WORKFLOW})
        await doors.push()

        def ended(objects):
            for run in objects["WorkflowRun"]:
                if run["spec"]["workflow"].endswith("contained.yaml"):
                    return (run.get("status") or {}).get("status") == "completed" and run
            return None

        await doors.until("the run has ended", ended)
        run = ended(doors.view.objects)
        log = await doors.tidegate("logs", run["metadata"]["name"])
        assert run["status"]["conclusion"] == "success", log
        assert "a word of the service" in log
