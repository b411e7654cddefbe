"""What the tests of the build room share: packages, layers and contexts made on the spot."""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tidegate.build.dockerfile import parse_dockerfile
from tidegate.build.plan import Plan, plan, preview
from tidegate.build.stages import stage_graph
from tidegate.kinds.platform import Platform
from tidegate.oci.values import ContainerConfig

ARM = Platform("linux", "arm", "v7")
AMD64 = Platform("linux", "amd64")


def make_deb(target: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a .deb: a path ending in / is a directory, text beginning with -> a symlink, => a hard link."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(f"./{path}")
            info.mtime = 1_600_000_000
            data = content.encode() if isinstance(content, str) else content
            if path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif data.startswith((b"-> ", b"=> ")):
                info.type = tarfile.SYMTYPE if data.startswith(b"->") else tarfile.LNKTYPE
                info.linkname = data[3:].decode()
            else:
                info.size, info.mode = len(data), 0o755 if "bin/" in path else 0o644
            archive.addfile(info, io.BytesIO(data))
    target.write_bytes(b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("data.tar.xz", xz(plain)))
    return target


def xz(plain: io.BytesIO) -> bytes:
    return lzma.compress(plain.getvalue())


def member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def planned(text: str, *, platform: Platform = AMD64, base: ContainerConfig | None = None, **build_args: str) -> Plan:
    """The plan of a Dockerfile's last stage."""
    dockerfile = parse_dockerfile(text.encode())
    graph = stage_graph(dockerfile, None, [platform], build_args, AMD64)
    if base is None:
        return preview(dockerfile, graph, build_args, AMD64)[graph.results[platform]]
    return plan(dockerfile, graph.nodes[graph.results[platform]], base, build_args, AMD64)


def problems(text: str) -> list[tuple[int, str]]:
    """What is wrong in a Dockerfile or must run, after `FROM x` as its first line."""
    found = planned(f"FROM x\n{text}")
    wrong = [(problem.line, problem.message) for problem in found.problems]
    return sorted([*wrong, *((step.line, step.why) for step in found.not_native)])
