"""The same Dockerfiles by every builder that can: the images hold the same files, and start the same way.

Lines run for this machine and, emulated, for 32-bit ARM. Only root can give the compared files their owners.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from image_trees import rows
from needed import need, need_debian_keys

from tidegate.base.errors import InvalidInput
from tidegate.build.evicting import evict
from tidegate.build.request import BuildRequest, BuildResult, CacheSpec, RegistrySettings
from tidegate.build.spawn import build_image
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.values import ImageConfig, Index, Manifest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
PLATFORMS = ("linux/arm/v7", str(Platform.of_machine()))
BASES = {"debian:bookworm-slim": "debian:bookworm"}
SECRET = "k7Qx-2mZr-of-nobody-else"

FILES = """\
FROM debian:bookworm-slim
WORKDIR /srv
COPY --chown=7:8 main.py a/
RUN mkdir -p /srv/b && ln a/main.py b/hard && ln -s ../a/main.py b/soft && chmod 4750 a/main.py
RUN rm -rf /usr/share/doc/libc6 /etc/issue; mkdir /usr/share/doc/libc6; echo new > /usr/share/doc/libc6/x
RUN install -d -m 2775 -o 5 -g 6 /srv/shared; touch /tmp/left; chown -R 11:12 /srv/b
ENV WORD=here
EXPOSE 8000/tcp
STOPSIGNAL SIGINT
CMD ["/bin/sh", "-c", "echo $WORD"]
"""
STAGES = """\
ARG NAME=bookworm-slim
FROM --platform=$BUILDPLATFORM debian:$NAME AS make
ARG TARGETARCH
WORKDIR /out
RUN uname -m > machine; echo "for $TARGETARCH" > target
FROM debian:$NAME AS native
RUN uname -m > /machine
FROM debian:$NAME
COPY --from=make /out/ /made/
COPY --from=native /machine /made/own
RUN echo "app:x:1000:1000::/srv:/bin/sh" >> /etc/passwd; uname -m > /dev/null
USER 1000
WORKDIR /srv
ENTRYPOINT ["/bin/cat"]
"""
PLAIN = """\
FROM debian:bookworm-slim
WORKDIR /srv/web
COPY . .
COPY main.py /usr/local/bin/
USER 1000:1000
CMD ["python3", "main.py"]
"""
DOCKERFILES = {"files": FILES, "stages": STAGES, "plain": PLAIN}
BUILDERS = {"files": ("mixed", "buildah"), "stages": ("mixed", "buildah"), "plain": ("native", "mixed", "buildah")}


@dataclass
class World:
    """A cache that the tests of this file share, and where their contexts are."""

    folder: Path
    cache: Path
    log: list[str] = field(default_factory=list)

    def request(self, name: str, dockerfile: str, *platforms: str, builder: str = "mixed") -> BuildRequest:
        context = self.folder / name
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile)
        (context / "main.py").write_text("print('hello')\n")
        chosen = tuple(map(Platform.parse, platforms or PLATFORMS))
        return BuildRequest(context, chosen, (), self.cache, 1_700_000_000, bases=BASES, builder=builder)

    def build(self, request: BuildRequest, **secrets: bytes) -> BuildResult:
        self.log.clear()
        return asyncio.run(build_image(request, RegistrySettings(), self.log.append, secrets=secrets))

    def config(self, digest: str) -> ImageConfig:
        store = BuildStore(self.cache)
        manifest = Manifest.from_bytes(store.read_blob(digest))
        return ImageConfig.from_bytes(store.read_blob(manifest.config.digest))

    def rows(self, digest: str, scratch: Path) -> dict[str, tuple[object, ...]]:
        return dict(rows(BuildStore(self.cache).blob_path, digest, scratch))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> World:
    need_debian_keys()
    need("qemu-arm-static", "qemu-user-static")
    if os.geteuid() != 0:
        pytest.skip("only root can give the compared files their owners")
    return World(tmp_path_factory.mktemp("alike"), image_cache)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_builder_makes_the_same_files(world: World, tmp_path: Path, name: str) -> None:
    need("buildah")
    results = {
        builder: world.build(world.request(name, DOCKERFILES[name], builder=builder)) for builder in BUILDERS[name]
    }
    for platform in PLATFORMS:
        digests = [result.manifests[platform] for result in results.values()]
        trees = [world.rows(digest, tmp_path) for digest in dict.fromkeys(digests)]
        assert all(tree == trees[0] for tree in trees), [
            (path, [tree.get(path) for tree in trees])
            for path in {path for tree in trees for path in tree}
            if len({tree.get(path) for tree in trees}) > 1
        ]
        configs = [world.config(digest) for digest in digests]
        assert all(one.config == configs[0].config and one.created == configs[0].created for one in configs)


def test_lines_run_on_the_machine_that_they_are_for(world: World, tmp_path: Path) -> None:
    result = world.build(world.request("stages", STAGES))
    machine = os.uname().machine
    for platform, own, target in zip(PLATFORMS, ("armv7l", machine), ("arm", "amd64"), strict=True):
        found = {path: row[4] for path, row in world.rows(result.manifests[platform], tmp_path).items()}
        assert found["made/own"] == sha256(f"{own}\n")
        assert found["made/machine"] == sha256(f"{machine}\n")
        assert found["made/target"] == sha256(f"for {target}\n")


def sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def test_another_cache_gives_the_same_digest(world: World, tmp_path: Path) -> None:
    import shutil

    (tmp_path / "cache").mkdir()
    for kept in ("packages", "locks"):
        shutil.copytree(world.cache / kept, tmp_path / "cache" / kept)
    request = world.request("files", FILES)
    assert world.build(replace(request, cache=tmp_path / "cache")) == world.build(request)


def test_a_secret_is_in_no_layer_no_log_and_no_key(world: World, tmp_path: Path) -> None:
    text = (
        "FROM debian:bookworm-slim\n"
        "RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN "
        f"cat /run/secrets/token; : {tmp_path}; echo $TOKEN; stat -c %a%u /run/secrets/token > /mode; "
        "touch /run/secrets-were-here\n"
    )
    request = world.request("secret", text, PLATFORMS[1])
    result = world.build(request, token=SECRET.encode())
    assert any("***" in line for line in world.log)
    assert SECRET not in "\n".join(world.log)
    manifest = Manifest.from_bytes(BuildStore(world.cache).read_blob(result.manifests[PLATFORMS[1]]))
    import gzip

    layer = gzip.decompress(BuildStore(world.cache).read_blob(manifest.layers[-1].digest))
    assert SECRET.encode() not in layer
    assert b"run/secrets/" not in layer
    held = subprocess.run(["grep", "-rlF", SECRET, str(world.cache)], capture_output=True, text=True, check=False)
    assert held.stdout == ""
    again = world.build(request, token=b"another-value-of-it")
    assert again == result
    assert any("unchanged" in line for line in world.log)


def test_mounts_are_there_and_leave_nothing(world: World, tmp_path: Path) -> None:
    text = (
        "FROM debian:bookworm-slim AS one\nRUN mkdir /d && echo stage > /d/f\nFROM debian:bookworm-slim\n"
        f"RUN --mount=type=cache,id={tmp_path},target=/kept --mount=type=bind,source=main.py,target=/in/main.py "
        "--mount=type=bind,from=one,source=/d,target=/in/d --mount=type=tmpfs,target=/scratch "
        "cp /in/main.py /in/d/f /srv/; echo x >> /kept/count; wc -l < /kept/count; touch /scratch/y; ! touch /in/d/z\n"
    )
    request = world.request("mounts", text, PLATFORMS[1])
    result = world.build(replace(request, no_cache=True))
    again = world.build(replace(request, no_cache=True))
    assert [line for line in world.log if line.endswith(": 2")], world.log
    assert again == result
    found = world.rows(result.manifests[PLATFORMS[1]], tmp_path)
    assert {path for path in found if path.startswith("srv/")} == {"srv/main.py", "srv/f"}
    assert not [path for path in found if path.split("/")[0] in ("kept", "in", "scratch")]


def test_no_network_means_none(world: World) -> None:
    text = "FROM debian:bookworm-slim\nRUN --network=none cat /proc/net/route | wc -l; ! cat /etc/resolv.conf\n"
    world.build(world.request("network", text, PLATFORMS[1]))
    assert [line for line in world.log if line.endswith("line 2: 1")]


def test_a_command_that_fails_is_told_with_its_last_lines(world: World) -> None:
    text = "FROM debian:bookworm-slim\nRUN uname; echo before; cd /nowhere\n"
    with pytest.raises(InvalidInput, match=r"Dockerfile:2: linux/arm/v7: the command ended with 2:") as raised:
        world.build(world.request("fails", text, "linux/arm/v7"))
    assert "before" in str(raised.value)
    assert "/nowhere" in str(raised.value)


def test_root_of_a_line_is_nobody_of_the_machine(world: World, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "mine").chmod(0o600)
    text = (
        f"FROM debian:bookworm-slim\nRUN id -u; ls {tmp_path} || true; cat /proc/self/uid_map; "
        "! mknod /srv/disk b 8 0; ! mount -t tmpfs none /srv; ! unshare -U true\n"
    )
    world.build(world.request("nobody", text, PLATFORMS[1]))
    ids = [line.split()[-3:] for line in world.log if line.split()[-1:] == ["1"] and len(line.split()) > 5]
    assert ids
    assert all(one[1] != "0" for one in ids)


def test_a_cache_of_another_machine_spares_the_line(world: World, tmp_path: Path) -> None:
    text = "FROM debian:bookworm-slim\nRUN date +%s%N > /moment\n"
    place = str(tmp_path / "shared")
    request = world.request("shared", text, PLATFORMS[1])
    first = world.build(replace(request, cache_to=(CacheSpec("local", place),)))
    other = replace(request, cache=tmp_path / "cache", cache_from=(CacheSpec("local", place),))
    assert world.build(other) == first
    for blob in (tmp_path / "shared/blobs/sha256").iterdir():  # one with other bytes than its name says
        data = blob.read_bytes()
        if data[:2] == b"\x1f\x8b":
            blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    poisoned = replace(other, cache=tmp_path / "cache-2")
    assert world.build(poisoned) != first
    assert any("is not used" in line or "built" in line for line in world.log)


def test_a_torn_blob_is_noticed_and_made_again(world: World, tmp_path: Path) -> None:
    request = replace(world.request("torn", "FROM scratch\nCOPY main.py /\n", PLATFORMS[1]), cache=tmp_path / "cache")
    first = world.build(request)
    store = BuildStore(request.cache)
    layer = Manifest.from_bytes(store.read_blob(first.manifests[PLATFORMS[1]])).layers[0]
    store.blob_path(layer.digest).write_bytes(bytes(layer.size))
    assert world.build(request) == first
    assert store.has_blob(layer)


def test_a_full_budget_takes_what_is_not_in_use(world: World, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    request = replace(world.request("budget", "FROM scratch\nCOPY main.py /\n", PLATFORMS[1]), cache=cache)
    first = world.build(request)
    store = BuildStore(cache)
    for path in (cache / "blobs/sha256").iterdir():
        os.utime(path, (1_000_000_000, path.stat().st_mtime))
    with store.scratch():
        assert evict(store, 0) > 0
    assert list((cache / "blobs/sha256").iterdir()) == []
    assert world.build(request) == first
    with store.scratch():
        assert evict(store, 0) == 0  # used a moment ago


def children_of(parent: int, name: str) -> list[int]:
    asked = ["pgrep", "-P", str(parent), "-f", name]
    found = subprocess.run(asked, capture_output=True, text=True, check=True)
    return [int(pid) for pid in found.stdout.split()]


def test_killed_in_the_middle_of_a_line_it_gives_the_same_digest_afterwards(world: World) -> None:
    text = (
        "FROM debian:bookworm-slim\nRUN echo begun; for i in 1 2 3 4 5 6 7 8 9; do echo $i > /srv/$i; sleep 0.2; done\n"
    )
    request = replace(world.request("killed", text, PLATFORMS[1]), no_cache=False)

    async def killed() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(
            build_image(request, RegistrySettings(), lambda line: begun.set() if line.endswith("begun") else None)
        )
        await asyncio.wait_for(begun.wait(), 300)
        for pid in await asyncio.to_thread(children_of, os.getpid(), "tidegate.build.child"):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            await task

    asyncio.run(killed())
    result = world.build(request)
    assert world.build(request) == result
    assert not [path for path in (world.cache / "scratch").iterdir() if list(path.iterdir())]


def test_statements_are_attached_as_buildx_does(world: World) -> None:
    import json

    request = replace(world.request("said", PLAIN, builder="native"), sbom=True, provenance="max")
    result = world.build(request)
    assert world.build(request) == result
    store = BuildStore(world.cache)
    index = Index.from_bytes(store.read_blob(result.index_digest))
    said = [one for one in index.manifests if one.annotations.get("vnd.docker.reference.type")]
    assert {one.annotations["vnd.docker.reference.digest"] for one in said} == set(result.manifests.values())
    manifest = Manifest.from_bytes(store.read_blob(said[0].digest))
    kinds = {layer.annotations["in-toto.io/predicate-type"]: layer for layer in manifest.layers}
    sbom = json.loads(store.read_blob(kinds["https://spdx.dev/Document"].digest))["predicate"]
    assert {"bash", "python3.11-minimal"} <= {package["name"] for package in sbom["packages"]}
    slsa = json.loads(store.read_blob(kinds["https://slsa.dev/provenance/v1"].digest))["predicate"]
    assert slsa["buildDefinition"]["resolvedDependencies"][0]["uri"].startswith("pkg:docker/debian:bookworm?")


@pytest.fixture(autouse=True)
def _no_leftovers(world: World) -> Iterator[None]:
    yield
    left = subprocess.run(["findmnt", "-rn", "-o", "TARGET"], capture_output=True, text=True, check=False).stdout
    assert str(world.cache) not in left
