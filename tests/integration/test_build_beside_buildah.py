"""The same Dockerfiles built natively and by buildah, which runs every line: the files of both are compared one by one,
and what was made for 32-bit ARM without running anything is run under emulation.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from image_roots import MACHINES, emulated, find_emulator
from needed import need, need_debian_keys
from test_build_images import World, registry

from tidegate.build.facts import inspect
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
# What is mounted while a command runs, so that its place is left in a layer.
MOUNTED = {"run/secrets", "etc/hosts", "etc/resolv.conf", "etc/hostname", "run", "dev", "proc", "sys"}
COPIES = """\
ARG SUFFIX=conf
FROM base AS files
ARG SUFFIX
ENV NAME=app.${SUFFIX} OTHER="${MISSING:-other}"
WORKDIR /srv/app
COPY --chown=7:8 tree lib/
COPY --chmod=700 main.py tree/a.py ./bin/
COPY --chmod=750 tree /modes/
COPY tree/*.py main.py /patterns/
COPY main.py /usr/bin/../local/$NAME
COPY tree /new/$OTHER
ADD tree.tar.gz /opt/unpacked
ADD --chown=1:2 tree.tar.gz /opt/owned/
ADD main.py.gz /opt/
WORKDIR /made
USER daemon
WORKDIR by/user
FROM files AS unused
COPY none /
FROM files AS more
COPY main.py more.py
FROM base
COPY --from=more /srv/app /srv/app
COPY --from=more /made /made
COPY --from=0 --chown=daemon:9 /srv/app/lib/a.py /chowned/
COPY --from=files /opt /usr/local /both/
COPY --from=files /new/other/link /followed
COPY --from=more /patterns/*.py /again/
USER 1000:1000
WORKDIR /there
EXPOSE 80 53/udp
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD curl x
LABEL a=b "c d"="e f"
ENTRYPOINT ["python3", "-m"]
CMD http.server
"""
COMMANDS = """\
FROM base
SHELL ["/bin/bash", "-c"]
RUN set -eux; mkdir -p /tree/a/b && mkdir -m 700 /tree/c && touch /tree/f /tree/a/g && ln -s ../f /tree/a/l; \\
    chmod 4755 /tree/f   # a comment
RUN chown -R 33:33 /tree && chown daemon: /tree/c && chgrp staff /tree/a/g && chmod -R g+w,o-rx /tree/a
RUN cp -r /tree /copy && cp -a /tree /archive && cp /tree/a/l /copy/ll && mv /archive/a /moved && \\
    rm -rf /tree/c && cp -r /moved/. /dots && mv /copy/f /copy/renamed
SHELL ["/bin/sh", "-c"]
RUN mkdir -p /var/shared/in && chgrp staff /var/shared && chmod 2775 /var/shared && mkdir /var/shared/x && \\
    touch /var/shared/x/y && install -D -m 644 /etc/passwd /installed/q/z && install -d -o daemon -g staff -m 2750 /d
RUN echo "hello $HOME  x" > /hello && printf 'a\\n%s\\n' 1 2 >> /hello && cat /hello /etc/group > /both || exit 1
RUN rm -rf /usr/share/zoneinfo/A* /usr/share/zoneinfo/[B-E]* /nonexistent && rm -f /etc/alternatives/awk
RUN rm -rf /usr/share/zoneinfo/Europe && mkdir /usr/share/zoneinfo/Europe && echo new > /usr/share/zoneinfo/Europe/Paris
RUN ["mkdir", "-p", "/exec/$NOT_FILLED"]
ENV KIND=x
USER daemon
WORKDIR /tmp
RUN cd /tmp && mkdir mine && echo $KIND > mine/file && ln -s file mine/link && chmod 600 mine/file
"""
FOREIGN = """\
FROM base AS build
WORKDIR /build
COPY requirements.txt .
RUN pip install --user --no-cache-dir -r requirements.txt && pip install --target=/opt/extra tomli-w
FROM base
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /root/.local /root/.local
COPY --from=build /opt/extra /opt/extra
ENV PATH=/root/.local/bin:$PATH
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[World]:
    need("docker-registry")
    need_debian_keys()
    folder = tmp_path_factory.mktemp("beside")
    with registry(folder) as address:
        world = World(folder, image_cache, address)
        base = world.context("base", Dockerfile="FROM python:3.11-slim\nRUN chmod 755 /usr/local\n")
        world.build(world.request(base, "base:1"))
        yield world


def context(world: World, name: str, dockerfile: str) -> Path:
    folder = world.context(name, Dockerfile=dockerfile.replace("FROM base", f"FROM {world.registry}/acme/base:1"))
    for path in ("a.py", "deep/er/b.py"):
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_text(path)
    (folder / "tree/deep/er/b.py").chmod(0o755)
    (folder / "tree/link").unlink(missing_ok=True)
    (folder / "tree/link").symlink_to("a.py")
    (folder / "requirements.txt").write_text("pydantic-core==2.27.2\n")
    (folder / "main.py.gz").write_bytes(b"\x1f\x8b\x08 no archive")
    with tarfile.open(folder / "tree.tar.gz", "w:gz") as archive:
        for path, kind, mode in (("x", tarfile.DIRTYPE, 0o750), ("x/file", tarfile.REGTYPE, 0o4711)):
            info = tarfile.TarInfo(path)
            info.type, info.mode, info.uid, info.gid, info.size = kind, mode, 5, 6, 0
            archive.addfile(info, io.BytesIO())
    return folder


def by_buildah(folder: Path, scratch: Path) -> tuple[dict[str, list[object]], dict[str, object]]:
    """The files, and the configuration, of what buildah makes."""
    buildah = [str(need("buildah")), "--root", str(scratch / "root"), "--runroot", str(scratch / "run")]
    buildah += ["--storage-driver", "vfs"]
    layout = scratch / "layout"
    build = [*buildah, "build", "--isolation", "chroot", "--tls-verify=false", "--layers=false", "--format", "docker"]
    subprocess.run([*build, "--quiet", "--tag", "localhost/made", str(folder)], check=True, stdout=subprocess.DEVNULL)
    push = [*buildah, "push", "--quiet", "--format", "v2s2", "localhost/made", f"dir:{layout}"]
    subprocess.run(push, check=True, stdout=subprocess.DEVNULL)
    manifest = json.loads((layout / "manifest.json").read_text())
    config = json.loads((layout / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    layers = [layout / layer["digest"].removeprefix("sha256:") for layer in manifest["layers"]]
    return rows(layers), config["config"]


def rows(layers: list[Path]) -> dict[str, list[object]]:
    """Each path's kind, mode, owner, and content or target; times are what no two builders agree upon."""
    return {path: inode.row()[:5] for path, inode in inspect(layers).files.items() if path not in MOUNTED}


@pytest.mark.parametrize(("name", "dockerfile"), [("copies", COPIES), ("commands", COMMANDS)])
def test_every_file_is_as_buildah_makes_it(world: World, tmp_path: Path, name: str, dockerfile: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("buildah's chroot isolation is run as root here")
    folder = context(world, name, dockerfile)
    result = world.build(world.request(folder, f"{name}:1", str(Platform.of_machine())))
    (digest,) = result.manifests.values()
    manifest, config = world.image(digest)
    mine = rows([BuildStore(world.cache).blob_path(layer.digest) for layer in manifest.layers])
    theirs, settings = by_buildah(folder, tmp_path)
    other = {path for path in {*mine, *theirs} if mine.get(path) != theirs.get(path)}
    assert {path: (mine.get(path), theirs.get(path)) for path in other} == {}
    found = config.config.as_json()
    settings.get("Labels", {}).pop("io.buildah.version")  # type: ignore[attr-defined]
    expected = {name: value for name, value in settings.items() if value and name != "Hostname"}
    assert {name: found.get(name) for name in expected} == expected


def test_two_folders_and_caches_give_one_digest(world: World, tmp_path: Path) -> None:
    platforms = ("linux/arm/v7", "linux/amd64")
    first = world.build(world.request(context(world, "one", COMMANDS), "one:1", *platforms))
    other = context(world, "elsewhere/two", COMMANDS)
    request = replace(world.request(other, "two:1", *platforms), cache=tmp_path / "cache")
    assert world.build(request) == first


@pytest.mark.parametrize("platform", sorted(MACHINES))
def test_a_foreign_image_of_two_stages_runs_emulated(world: World, tmp_path: Path, platform: str) -> None:
    emulator = find_emulator(platform)
    folder = context(world, "foreign", FOREIGN)
    result = world.build(world.request(folder, "foreign:1", platform))
    root = world.unpack(result.manifests[platform], tmp_path / "root")
    code = "import sys; sys.path[:0] = ['/opt/extra', '/root/.local/lib/python3.11/site-packages']; "
    code += "import pydantic_core, tomli_w, platform; print(platform.machine(), tomli_w.dumps({'a': 1}).strip())"
    assert emulated(emulator, root, "/usr/bin/python3", "-c", code) == f"{MACHINES[platform]} a = 1"
    assert emulated(emulator, root, "/usr/bin/tini", "--version").startswith("tini version")
    assert b"Package: tini\n" in (root / "var/lib/dpkg/status").read_bytes()
