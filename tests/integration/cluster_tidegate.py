"""`tidegate controller` beside a test's cluster, with the rights of the service account that an installation made."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.integration.cluster_program import Program
from tests.integration.cluster_world import Cluster, free_ports

from tidegate.serve.kubeconfig import kubeconfig

NAMESPACE = "flux-system"


class ControllerProcess:
    """One `tidegate controller`; its log is in the file `log`, and `peak` is its largest resident set in MiB."""

    def __init__(self, program: Program, port: int, token: str):
        self.program = program
        self.token = token
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    async def start(
        cls,
        cluster: Cluster,
        folder: Path,
        *arguments: str,
        account: str = "tidegate",
        name: str = "controller",
        url: str = "",
        env: Mapping[str, str] | None = None,
    ) -> "ControllerProcess":
        """Start it with a token of a service account, as its Pod would have; `url` is a proxy before the API server."""
        token = await cluster.account_token(NAMESPACE, account)
        config = folder / f"{name}.kubeconfig"
        config.write_text(kubeconfig(url or cluster.url, token, ca=cluster.ca.read_bytes()))
        (port,) = free_ports(1)
        argv = [
            sys.executable, "-m", "tidegate", "controller", "--kubeconfig", str(config),
            "--data", str(folder / f"{name}-data"), "--address", f"127.0.0.1:{port}", *arguments,
        ]  # fmt: skip
        process = cls(Program(argv, folder / f"{name}.log", env), port, token)
        process.program.start()
        return process

    async def until_it_says(self, text: str, timeout: float = 60.0, *, times: int = 1) -> float:
        """Wait until its log has a text that often; the moment, on the monotonic clock."""
        end = time.monotonic() + timeout
        while self.program.log.read_text(errors="replace").count(text) < times:
            assert time.monotonic() < end, f"it did not say {text!r}:\n{self.program.tail()}"
            await asyncio.sleep(0.05)
        return time.monotonic()

    async def ended(self, timeout: float = 30.0) -> int:
        """Wait for its end; the exit code."""
        end = time.monotonic() + timeout
        while self.program.running:
            assert time.monotonic() < end, f"it did not end:\n{self.program.tail()}"
            await asyncio.sleep(0.05)
        return self.program.exit_code

    @property
    def log(self) -> Path:
        return self.program.log

    def peak(self) -> float:
        """VmHWM in MiB."""
        with Path(f"/proc/{self.program.pid}/status").open() as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def stop(self) -> None:
        with contextlib.suppress(AssertionError):
            self.program.kill()


def tidegate(cluster: Cluster, *arguments: str, code: int = 0) -> str:
    """Run a command of ours as the cluster's administrator; what it printed."""
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.folder)}
    environment.pop("TIDEGATE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", *arguments],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + (done.stderr if code else "")
