"""Debian's docker-registry under TLS that asks for a client's certificate and a password, and a proxy that asks too."""

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
from pathlib import Path

import httpx2
from tests.integration.cluster_pki import Pki
from tests.integration.cluster_program import Program
from tests.integration.cluster_world import free_ports
from tests.integration.needed import need

from tidegate.base.http import make_client

USER, PASSWORD = "me", "s3cret"
# bcrypt of PASSWORD, with the least work there is.
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n"
START_TIMEOUT = 20.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http:
  addr: "127.0.0.1:{port}"
  tls: {{certificate: {certificate}, key: {key}, clientcas: [{authority}]}}
auth: {{htpasswd: {{realm: basic, path: {passwords}}}}}
"""


@contextlib.asynccontextmanager
async def secure_registry(folder: Path, pki: Pki, *tags: str):
    """Its host and port, with `acme/web` in it under these tags."""
    need("docker-registry")
    (port,) = free_ports(1)
    (folder / "htpasswd").write_text(HTPASSWD)
    config = folder / "config.yml"
    config.write_text(
        CONFIG.format(root=folder / "data", port=port, certificate=pki.server, key=pki.server.with_suffix(".key"),
                      authority=pki.ca, passwords=folder / "htpasswd")
    )  # fmt: skip
    program = Program([str(need("docker-registry")), "serve", str(config)], folder / "registry.log")
    program.start()
    try:
        context = ssl.create_default_context(cafile=str(pki.ca))
        context.load_cert_chain(pki.admin, pki.admin.with_suffix(".key"))
        async with make_client(verify=context) as http:
            http.base_url = f"https://127.0.0.1:{port}"
            http.auth = (USER, PASSWORD)
            await _answering(http, program)
            await _push(http, tags)
        yield f"127.0.0.1:{port}"
    finally:
        program.kill()


async def _answering(http: httpx2.AsyncClient, program: Program) -> None:
    async with asyncio.timeout(START_TIMEOUT):
        while True:
            try:
                assert (await http.get("/v2/")).status_code == 200, program.tail()
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def _push(http: httpx2.AsyncClient, tags: tuple[str, ...]) -> None:
    config = b"{}"
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    begun = await http.post("/v2/acme/web/blobs/uploads/")
    target = httpx2.URL(begun.raise_for_status().headers["location"]).copy_merge_params({"digest": digest})
    (await http.put(target, content=config)).raise_for_status()
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []})
    for tag in tags:
        headers = {"content-type": MANIFEST}
        (await http.put(f"/v2/acme/web/manifests/{tag}", content=manifest, headers=headers)).raise_for_status()


class ConnectProxy:
    """A proxy for TLS that asks for a password; `opened` are the places that it was let open a connection to."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.refused = 0
        self.url = ""
        self._busy: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)
            await server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own, since what asyncio makes of a coroutine function is awaited by nobody.
        task = asyncio.create_task(self._serve(reader, writer))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closed(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if f"proxy-authorization: basic {expected}".lower() not in head.lower():
                self.refused += 1
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
                return
            target = head.split()[1]
            self.opened.append(target)
            host, _, port = target.rpartition(":")
            there, onward = await asyncio.open_connection(host, int(port))
            async with _closed(onward):
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await asyncio.gather(_copy(reader, onward), _copy(there, writer), return_exceptions=True)


@contextlib.asynccontextmanager
async def _closed(writer: asyncio.StreamWriter):
    """Close a connection at the end of the block, and wait until it is."""
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
