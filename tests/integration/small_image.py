"""An image of a small web server, made of this machine's own perl, and pushed through a registry's door by hand."""

import hashlib
import io
import json
import platform
import tarfile
from typing import Any

import httpx2
from crash_world import program_files

PORT = 8080
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# Without a single module, so that the program and its libraries are all it needs.
SERVER = r"""
socket(S, 2, 1, 6) && setsockopt(S, 1, 2, pack("l", 1)) && bind(S, pack("Sna4x8", 2, 8080, "\0\0\0\0"))
  && listen(S, 16) or die "no socket: $!";
$| = 1; print "listening\n";
$word = $ARGV[0];
while (accept(C, S)) {
  sysread C, $asked, 4096;
  syswrite C, "HTTP/1.1 200 OK\r\nContent-Length: " . length($word) . "\r\nConnection: close\r\n\r\n$word";
  close C;
}
"""


async def push_image(url: str, token: str, repository: str, tag: str, word: str, program: str = SERVER) -> None:
    """Push an image whose program answers every request on port 8080 with `word`, or is another one."""
    layer = _layer()
    config = {
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/bin/perl", "-e", program, word]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    async with httpx2.AsyncClient(base_url=url, trust_env=False, headers={"Authorization": f"Bearer {token}"}) as http:

        async def blob(media_type: str, data: bytes) -> dict[str, Any]:
            path = f"/v2/{repository}/blobs/uploads/?digest={_digest(data)}"
            answer = await http.post(path, content=data, timeout=60)
            assert answer.status_code == 201, answer.text
            return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}

        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": await blob("application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
            "layers": [await blob("application/vnd.oci.image.layer.v1.tar", layer)],
        }
        headers = {"Content-Type": str(manifest["mediaType"])}
        path = f"/v2/{repository}/manifests/{tag}"
        answer = await http.put(path, content=json.dumps(manifest).encode(), headers=headers)
        assert answer.status_code == 201, answer.text


def _layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for target, source in program_files("perl", "/bin/perl").items():
            entry = tarfile.TarInfo(target.lstrip("/"))
            entry.mode, entry.size = 0o755, source.stat().st_size
            with source.open("rb") as file:
                tar.addfile(entry, file)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
