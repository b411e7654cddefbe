"""Sources on one machine, as the process reconciles them, over repositories that a test writes into."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

from tidegate.base.errors import TidegateError
from tidegate.engine.clock import rfc3339
from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Failed
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import failure_patch, status_patch
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import ObjectKey
from tidegate.source.controller import GitRepositoryController
from tidegate.source.trees import FetchedTrees, LocalTrees

SPACE = "flux-system"
GROUP, KIND = "source.toolkit.fluxcd.io", "GitRepository"
PERSON = {
    "GIT_AUTHOR_NAME": "Somebody", "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "somebody@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
}  # fmt: skip


class Remote:
    """A repository that a person works in, and that a source follows."""

    def __init__(self, folder: Path, **environment: str):
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], **PERSON, **environment}
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), "-c", "protocol.file.allow=always", *arguments],
            env=self.environment, input=stdin, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, files: dict[str, str] | None = None, *options: str) -> str:
        """Commit files on top of what is there; the commit."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change", *options)
        return self.git("rev-parse", "HEAD")


class SourceWorld:
    """A store, and the source controller with its trees. `origins` are more arguments of Origins; `hosted` is one."""

    def __init__(self, folder: Path, **origins: object):
        self.folder = folder
        self.clock = ManualClock()
        self.store = SqliteStore(folder / "store.db", self.clock)
        self.context = Context(self.store, self.clock, EventRecorder(self.store, self.clock, "source-controller"))
        self._hosted = origins.pop("hosted", lambda _url: None)
        self._origins = {"file_roots": (folder,), **origins}
        self.restart()

    def restart(self, disk: str = "one") -> None:
        """A process that knows nothing but what is stored; with another disk, no mirror either."""
        place = self.folder / "disks" / disk
        place.mkdir(parents=True, exist_ok=True)
        self.origins = Origins(Mirrors(place / "mirrors"), self._hosted, None, **self._origins)
        self.trees = FetchedTrees(LocalTrees(place / "trees.json"), self.origins, self.store)
        self.controller = GitRepositoryController(self.origins, self.trees)

    async def source(self, url: str, name: str = "cluster", **spec: object) -> ObjectKey:
        """Make a source, or give it another spec."""
        key = ObjectKey(GROUP, KIND, SPACE, name)
        spec = {"url": url, "interval": "1m", "ref": {"branch": "main"}, **spec}
        obj = {"apiVersion": f"{GROUP}/v1", "kind": KIND, "metadata": {"name": name, "namespace": SPACE}, "spec": spec}
        await self.store.apply(obj, manager="test", force=True)
        return key

    async def secret(self, name: str, data: dict[str, bytes]) -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        metadata = {"name": name, "namespace": SPACE}
        obj = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
        await self.store.apply(obj, manager="test", force=True)

    async def reconcile(self, key: ObjectKey) -> dict:
        """Once, as the manager does it; the object's status."""
        obj = await self.store.get(key)
        now = rfc3339(self.clock.now())
        try:
            patch = status_patch(obj, await self.controller.reconcile(obj, self.context), now)
        except TidegateError as error:
            further = error.conditions if isinstance(error, Failed) else ()
            patch = failure_patch(obj, error.code, error.explain(), now, further)
        await self.store.patch_status(key, patch, manager="source-controller")
        return (await self.store.get(key))["status"]

    async def files(self, key: ObjectKey) -> dict[str, str]:
        """What is rendered from: the files of the artifact that the status names."""
        revision = (await self.store.get(key))["status"]["artifact"]["revision"]
        with await self.trees.open(key, revision) as files:
            return {path: files.read(path).decode() for path in files.paths()}

    def close(self) -> None:
        self.store.close()


def condition(status: dict, kind: str) -> tuple[str, str, str] | None:
    """A condition's status, reason and message."""
    found = find(status.get("conditions") or [], kind)
    return None if found is None else (found["status"], found["reason"], found["message"])
