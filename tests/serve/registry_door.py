"""A registry's door in one process and without a socket, for the tests of what the specification says of it."""

from __future__ import annotations

from pathlib import Path

import httpx2
from starlette.applications import Starlette

from tidegate.base.http import make_client
from tidegate.kinds.platform import Platform
from tidegate.oci import values
from tidegate.oci.auth import Endpoint
from tidegate.oci.blobs import BlobStore
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Login
from tidegate.oci.values import Descriptor, ImageConfig, Manifest, digest_of
from tidegate.serve.auth import Authorizer
from tidegate.serve.registry import RegistryDoor
from tidegate.serve.registry_uploads import Uploads

CONTENT = b"0123456789" * 1000
DIGEST = digest_of(CONTENT)
HOST = "http://127.0.0.1:5000"
CONFIG = ImageConfig(Platform("linux", "arm", "v7")).to_bytes()


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """A door, whom it knows, and what it told."""

    def __init__(self, root: Path, *, closed: bool = False):
        self.time = Time()
        self.root = root
        self.authorizer = Authorizer("home-token")
        self.store = BlobStore(root)
        self.told: list[tuple[str, str, str]] = []
        uploads = Uploads(self.store, self.time)
        self.door = RegistryDoor(self.store, self.authorizer, self._tell, reads_need_credential=closed, uploads=uploads)
        self.transport = httpx2.ASGITransport(Starlette(routes=self.door.routes()))

    async def _tell(self, repository: str, tag: str, digest: str) -> None:
        self.told.append((repository, tag, digest))

    def http(self, token: str | None = "home-token") -> httpx2.AsyncClient:
        client = make_client(self.transport)
        client.base_url = httpx2.URL(HOST)
        if token is not None:
            client.headers["authorization"] = f"Bearer {token}"
        return client

    def client(self, token: str | None = "home-token") -> RegistryClient:
        login = Login("u", token) if token else None
        return RegistryClient({"127.0.0.1:5000": Endpoint(HOST, login)}, http=make_client(self.transport))

    def files(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()}


def code(response: httpx2.Response) -> str:
    assert response.headers["docker-distribution-api-version"] == "registry/2.0"
    error = response.json()["errors"][0]
    assert error["message"]
    return str(error["code"])


async def push_blob(http: httpx2.AsyncClient, content: bytes = CONTENT, name: str = "acme/web") -> Descriptor:
    answer = await http.post(f"/v2/{name}/blobs/uploads/?digest={digest_of(content)}", content=content)
    assert answer.status_code == 201, answer.text
    return Descriptor.of(values.OCI_LAYER, content)


async def push_one(http: httpx2.AsyncClient, reference: str, name: str = "acme/web", **more: object) -> str:
    config = await push_blob(http, CONFIG, name)
    manifest = Manifest(Descriptor(values.OCI_CONFIG, config.digest, config.size), (), **more)  # type: ignore[arg-type]
    answer = await http.put(
        f"/v2/{name}/manifests/{reference}",
        content=manifest.to_bytes(),
        headers={"content-type": values.OCI_MANIFEST},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["docker-content-digest"])
