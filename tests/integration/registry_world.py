"""Debian's docker-registry on loopback, with images that are only a name: what a scan sees is real."""

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.cluster_program import Program
from tests.integration.cluster_world import free_ports

START_TIMEOUT = 20.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


NOTIFYING = """notifications:
  endpoints:
    - {{name: hook, url: "{url}",
       headers: {{Authorization: ["Bearer {token}"]}}, timeout: 5s, backoff: 1s, threshold: 3}}
"""


class RegistryWorld:
    """A registry that keeps its images in `folder`, and with `notifies` (a URL and a token) tells of what is pushed."""

    def __init__(self, folder: Path, notifies: tuple[str, str] | None = None):
        if shutil.which("docker-registry") is None:
            pytest.skip("docker-registry is not installed: apt-get install docker-registry")
        folder.mkdir()
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        config = folder / "config.yml"
        url, token = notifies or ("", "")
        text = CONFIG.format(root=folder / "data", port=self.port)
        config.write_text(text + (NOTIFYING.format(url=url, token=token) if notifies else ""))
        self._program = Program(["docker-registry", "serve", str(config)], folder / "registry.log")
        self._http = httpx2.Client(base_url=self.url, trust_env=False, timeout=30)

    def start(self) -> None:
        self._program.start()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                if self._http.get("/v2/").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            assert time.monotonic() < deadline, self._program.tail()
            time.sleep(0.05)

    def stop(self) -> None:
        self._http.close()
        self._program.kill()

    def push(self, repository: str, tag: str, labels: dict[str, str] | None = None) -> str:
        """Push an image without layers; its digest."""
        image = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
        config = self._blob(repository, image | {"config": {"Labels": labels or {}}, "author": tag})
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json"} | config,
                "layers": [],
            }
        ).encode()
        path = f"/v2/{repository}/manifests/{tag}"
        self._http.put(path, content=manifest, headers={"content-type": MANIFEST}).raise_for_status()
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def manifest(self, repository: str, tag: str) -> Any:
        """What a tag names: a manifest or an index."""
        accept = ", ".join((MANIFEST, "application/vnd.oci.image.index.v1+json"))
        answer = self._http.get(f"/v2/{repository}/manifests/{tag}", headers={"accept": accept})
        answer.raise_for_status()
        return answer.json()

    def _blob(self, repository: str, value: object) -> dict[str, object]:
        data = json.dumps(value).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        begun = self._http.post(f"/v2/{repository}/blobs/uploads/")
        begun.raise_for_status()
        target = httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        self._http.put(target, content=data).raise_for_status()
        return {"digest": digest, "size": len(data)}
