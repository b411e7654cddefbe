"""Real images from a real mirror and a real index: built for three platforms, pushed, run where this machine can.

The base's packages and the wheels are in the cache of this run (`image_cache`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from image_roots import MACHINES, emulated, find_emulator, inside, output, unpack
from needed import need, need_debian_keys

from tidegate.base.errors import InvalidInput
from tidegate.build.index_settings import IndexSettings
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.build.spawn import build_image
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci.unpack import remove_tree
from tidegate.oci.values import ImageConfig, Manifest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
PLATFORMS = ("linux/arm/v7", "linux/arm64", "linux/amd64")
BASES = {"python:3.11-slim": "debian:bookworm"}
DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /srv/web
COPY requirements.txt .
RUN pip install --no-cache-dir --upgrade pip && pip install --no-cache-dir -r requirements.txt
COPY main.py .
EXPOSE 8000
USER 1000:1000
CMD ["uvicorn", "main:app", "--host", "127.0.0.1", "--port", "8000"]
"""
REQUIREMENTS = "fastapi>=0.110\nuvicorn>=0.29\npydantic>=2\nprometheus-client>=0.20\n"
MAIN = """\
import platform
from fastapi import FastAPI
import prometheus_client, pydantic_core

app = FastAPI()

@app.get("/machine")
def machine() -> dict[str, str]:
    return {"machine": platform.machine(), "pydantic": pydantic_core.__version__}
"""


@dataclass
class World:
    """A cache and a registry that the tests of this file share."""

    folder: Path
    cache: Path
    registry: str
    log: list[str] = field(default_factory=list)

    def context(self, name: str, **files: str) -> Path:
        folder = self.folder / name
        texts = {"Dockerfile": DOCKERFILE, "requirements.txt": REQUIREMENTS, "main.py": MAIN}
        for path, text in (texts | {key.replace("__", "."): text for key, text in files.items()}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    def request(self, context: Path, tag: str, *platforms: str) -> BuildRequest:
        chosen = tuple(map(Platform.parse, platforms or PLATFORMS))
        tags = (parse(f"{self.registry}/acme/{tag}"),)
        return BuildRequest(context, chosen, tags, self.cache, 1_700_000_000, bases=BASES)

    def build(self, request: BuildRequest, index: IndexSettings | None = None) -> BuildResult:
        self.log.clear()
        return asyncio.run(build_image(request, RegistrySettings(), self.log.append, index=index))

    def image(self, digest: str, cache: Path | None = None) -> tuple[Manifest, ImageConfig]:
        store = BuildStore(cache or self.cache)
        manifest = Manifest.from_bytes(store.read_blob(digest))
        return manifest, ImageConfig.from_bytes(store.read_blob(manifest.config.digest))

    def unpack(self, digest: str, target: Path) -> Path:
        return unpack(BuildStore(self.cache).blob_path, digest, target)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[World]:
    need("docker-registry")
    need_debian_keys()
    folder = tmp_path_factory.mktemp("images")
    with registry(folder) as address:
        yield World(folder, image_cache, address)


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}"
    config.write_text(f"version: 0.1\nlog: {{level: error}}\n{storage}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    with subprocess.Popen(
        ["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        try:
            _wait_for(f"http://127.0.0.1:{port}/v2/")
            yield f"127.0.0.1:{port}"
        finally:
            one.kill()


def _wait_for(url: str, seconds: float = 30) -> bytes:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def built(world: World) -> BuildResult:
    return world.build(world.request(world.context("first"), "web:1.0.1"))


def test_the_tag_is_an_index_of_three_platforms(world: World, built: BuildResult) -> None:
    need("skopeo")
    reference = f"docker://{world.registry}/acme/web:1.0.1"
    for platform, digest in built.manifests.items():
        one = Platform.parse(platform)
        override = ["--override-arch", one.architecture, *(["--override-variant", one.variant] if one.variant else [])]
        argv = ["skopeo", *override, "inspect", "--tls-verify=false", "--format", "{{.Architecture}}", reference]
        assert output(argv) == one.architecture
        assert world.image(digest)[1].platform == one


def test_what_stands_in_for_the_base_is_logged_and_labelled(world: World, built: BuildResult) -> None:
    manifest, config = world.image(built.manifests["linux/arm/v7"])
    assert config.config.labels == {"tidegate.dev/base": "python:3.11-slim=debian:bookworm"}
    assert manifest.annotations["org.opencontainers.image.base.name"] == "debian:bookworm"
    assert config.config.user == "1000:1000"
    assert config.config.env[0].startswith("PATH=/usr/local/sbin:")


def test_this_machines_image_serves(world: World, built: BuildResult, tmp_path: Path) -> None:
    platform = str(Platform.of_machine())
    if platform not in built.manifests:
        pytest.skip(f"no image is built for {platform}")
    root = world.unpack(built.manifests[platform], tmp_path / "root")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = ["/usr/local/bin/uvicorn", "--app-dir", "/srv/web", "main:app", "--host", "127.0.0.1", "--port", port]
    with subprocess.Popen(inside(root, *command), env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}) as server:
        try:
            answer = _wait_for(f"http://127.0.0.1:{port}/machine").decode()
        finally:
            server.kill()
    assert f'"machine":"{os.uname().machine}"' in answer


@pytest.mark.parametrize("platform", sorted(MACHINES))
def test_a_foreign_image_runs_emulated(world: World, built: BuildResult, tmp_path: Path, platform: str) -> None:
    emulator = find_emulator(platform)
    root = world.unpack(built.manifests[platform], tmp_path / "root")
    code = "import sys; sys.path.insert(0, '/srv/web'); import main; print(main.machine()['machine'])"
    assert emulated(emulator, root, "/usr/local/bin/python", "-c", code) == MACHINES[platform]


def test_a_changed_file_makes_its_layer_alone_and_asks_no_resolver(world: World, built: BuildResult) -> None:
    context = world.context("first", main__py=f"{MAIN}\n# changed\n")
    again = world.build(world.request(context, "web:1.0.2"))
    for platform, digest in again.manifests.items():
        before, after = world.image(built.manifests[platform])[0].layers, world.image(digest)[0].layers
        assert [old == new for old, new in zip(before, after, strict=True)] == [True] * (len(before) - 1) + [False]
    assert not any(" packages: " in line for line in world.log)


def test_another_cache_folder_and_time_give_the_same_digest(world: World, built: BuildResult, tmp_path: Path) -> None:
    other = tmp_path / "cache"
    other.mkdir()
    for kept in ("packages", "locks", "uv"):
        shutil.copytree(world.cache / kept, other / kept)
    context = world.context("elsewhere/again")
    (context / "main.py").chmod(0o664)
    assert world.build(replace(world.request(context, "web:again"), cache=other)) == built
    assert any(" packages: " in line for line in world.log)


def test_no_settings_of_the_host_land_in_a_layer(world: World) -> None:
    secret = "x7Qk2-w9Zr4-of-nobody-else"
    index = IndexSettings(f"https://somebody:{secret}@pypi.org/simple")
    request = world.request(world.context("settings", requirements__txt="idna\n"), "settings:1", "linux/arm/v7")
    result = world.build(request, index)
    manifest, config = world.image(result.manifests["linux/arm/v7"])
    store = BuildStore(world.cache)
    layer = gzip.decompress(store.read_blob(manifest.layers[-2].digest))
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        names = tar.getnames()
    assert any(name.endswith("/idna/core.py") for name in names)
    assert not [name for name in names if re.search(r"direct_url|uv_cache|\.lock|uv-receipt", name)]
    records = [path.read_bytes() for path in store.root.glob("*/*.json")]
    assert not any(secret.encode() in data for data in (layer, config.to_bytes(), manifest.to_bytes(), *records))
    assert secret not in "".join(world.log)


def test_markers_are_evaluated_for_the_target(world: World) -> None:
    context = world.context("markers", requirements__txt="SQLAlchemy==2.0.36\n")
    result = world.build(world.request(context, "markers:1", "linux/arm/v7", "linux/amd64"))
    lines = {line.partition(": ")[0]: line for line in world.log if " packages: " in line}
    assert "greenlet" not in lines["linux/arm/v7"].lower()
    assert "greenlet" in lines["linux/amd64"].lower()
    assert len(result.manifests) == 2


def test_a_package_without_a_wheel_is_named_with_line_and_platform(world: World) -> None:
    request = world.request(world.context("source", requirements__txt="docopt==0.6.2\n"), "source:1", "linux/arm/v7")
    with pytest.raises(InvalidInput, match=r"Dockerfile:4: linux/arm/v7: .*docopt") as raised:
        world.build(request)
    assert "wheels" in (raised.value.remedy or "")


def test_a_later_install_replaces_what_an_earlier_one_put_there(world: World, tmp_path: Path) -> None:
    text = "FROM python:3.11-slim\nRUN pip install idna==3.6\nRUN pip install --upgrade 'idna>=3.7'\n"
    result = world.build(world.request(world.context("twice", Dockerfile=text), "twice:1", "linux/amd64"))
    root = world.unpack(result.manifests["linux/amd64"], tmp_path / "root")
    site = root / "usr/local/lib/python3.11/dist-packages"
    found = sorted(path.name for path in site.glob("idna-*.dist-info"))
    assert len(found) == 1
    assert found != ["idna-3.6.dist-info"]
    remove_tree(root)


def test_an_image_of_a_registry_is_pulled_and_built_upon(world: World, built: BuildResult, tmp_path: Path) -> None:
    text = f"FROM {world.registry}/acme/web:1.0.1\nUSER root\nRUN pip install tomli-w\nUSER 5\nCOPY main.py /x.py\n"
    request = world.request(world.context("upon", Dockerfile=text), "upon:1", "linux/arm/v7", "linux/amd64")
    fresh = tmp_path / "cache"
    result = world.build(replace(request, cache=fresh))
    base = world.image(built.manifests["linux/arm/v7"])[0]
    manifest, config = world.image(result.manifests["linux/arm/v7"], fresh)
    assert manifest.layers[: len(base.layers)] == base.layers
    assert len(manifest.layers) == len(base.layers) + 2
    assert config.config.cmd[0] == "uvicorn"
    assert manifest.annotations["org.opencontainers.image.base.digest"] == built.manifests["linux/arm/v7"]
    installed = next(line for line in world.log if line.startswith("linux/arm/v7") and " packages: " in line)
    assert "1 packages: tomli-w" in installed


def test_the_command_makes_a_layout_and_finds_it_again(world: World, built: BuildResult, tmp_path: Path) -> None:
    environment = {**os.environ, "TIDEGATE_CACHE": str(world.cache)}
    code = "from tidegate.cli.base import command; command()"
    argv = [sys.executable, "-c", code, "debian:bookworm", "--home", str(tmp_path / "home")]
    first = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    again = subprocess.run(
        [*argv, "-o", tmp_path / "layout"], env=environment, capture_output=True, text=True, check=True
    )
    assert first.stdout == again.stdout
    assert again.stderr == ""
    assert [line.partition(" ")[0] for line in again.stdout.splitlines()[1:]] == list(PLATFORMS)
    assert (tmp_path / "layout/blobs/sha256" / first.stdout.split()[0].removeprefix("sha256:")).is_file()
