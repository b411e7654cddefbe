"""One demonstration, left running, for all tests that look at it through its doors."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from needed import need, need_debian_keys

TIMEOUT = 1200


class DemoWorld:
    """The report, and the commands of a user beside it."""

    def __init__(self, folder: Path, report: dict):
        self.folder = folder
        self.report = report
        self.home = folder / "home"
        self.environment = os.environ | {
            "TIDEGATE_HOME": str(self.home),
            "KUBECONFIG": str(folder / "kubeconfig"),
            "HOME": str(folder),
        }

    def tidegate(self, *arguments: str, code: int = 0) -> str:
        return self._run([sys.executable, "-m", "tidegate", *arguments], code)

    def kubectl(self, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
        need("kubectl", "kubernetes-client")
        need("openssl")  # kubectl sends its token over TLS alone
        if not (self.folder / "kubeconfig").exists():
            self.tidegate("kubeconfig", "--output", str(self.folder / "kubeconfig"))
        return self._run(["kubectl", *arguments], code, stdin)

    def git(self, *arguments: str, code: int = 0) -> str:
        return self._run(["git", "-C", str(self.folder / "smartbiz"), *arguments], code)

    def _run(self, command: list[str], code: int, stdin: str | None = None) -> str:
        done = subprocess.run(
            command, env=self.environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + (done.stderr if code or command[0] == "git" else "")

    def fetch(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """A request without a credential."""
        request = urllib.request.Request(self.report["url"] + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def start(folder: Path) -> tuple[subprocess.Popen, DemoWorld]:
    """Run the demonstration with --keep, and wait for its document."""
    need_debian_keys()
    command = [sys.executable, "-m", "tidegate", "demo", "--json", "--keep", "--dir", str(folder)]
    with (folder.parent / "demo.err").open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder.parent / "demo.err").read_text()
    report = json.loads(line)
    assert report["ok"], (folder.parent / "demo.err").read_text()
    return process, DemoWorld(folder, report)


def stop(process: subprocess.Popen) -> None:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    process.stdout.close()


def rows(table: str) -> list[list[str]]:
    """A printed table's cells."""
    return [re.split(r" {2,}", line.strip()) for line in table.strip().splitlines()]
