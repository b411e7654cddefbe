"""Runs a home's controllers with podman as a process of its own, which a test can kill: argv is the folder, its
registry's URL and the home's token.
"""

import asyncio
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from runner_home import RunnerHome

from tidegate.oci.auth import Endpoint
from tidegate.runner.containers.engine import Podman


class HomeTokens:
    """Gives jobs the home's own token: this process has no registry that would know another."""

    def issue(self, subject, scopes, lifetime_s):
        return sys.argv[3]

    def revoke(self, token):
        pass


async def main() -> None:
    root = Path(sys.argv[1])
    endpoints, podman = {"ghcr.io": Endpoint(sys.argv[2])}, Podman(root / "home/containers")
    home = RunnerHome(root, tokens=HomeTokens(), endpoints=endpoints, containers=podman)
    await home.jobs.sweep()
    async with home.running():
        runs = await home.finished(timeout=170)
    sys.stdout.write(f"{json.dumps(runs)}\n")


asyncio.run(main())
