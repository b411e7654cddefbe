"""Whole builds without network: from nothing, of what the context has, the same digest every time."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.base.errors import AlreadyExists, InvalidInput, NotFound
from tidegate.build.builder import Builder
from tidegate.build.dockerfile import InvalidDockerfile
from tidegate.build.index_settings import IndexSettings
from tidegate.build.publish import publish, write_layout
from tidegate.build.request import BuildRequest, BuildResult
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.client import RegistryClient
from tidegate.oci.values import ImageConfig, Index, Manifest

PLATFORMS = tuple(map(Platform.parse, ("linux/arm/v7", "linux/amd64")))
DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
WORKDIR /app
COPY --chown=7:8 src/ lib/
COPY main.py .
ENV ARCH=$TARGETARCH
LABEL from=file org.opencontainers.image.title=file
CMD ["/app/main.py"]
"""


def context(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    for path, text in ({"Dockerfile": DOCKERFILE, "main.py": "main", "src/a.py": "a"} | dict(files or {})).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def request(folder: Path, cache: Path) -> BuildRequest:
    return BuildRequest(folder, PLATFORMS, (), cache, 1_700_000_000)


async def build(one: BuildRequest, log: list[str] | None = None) -> BuildResult:
    store = BuildStore(one.cache)
    async with RegistryClient() as client:
        with store.scratch() as scratch:
            said = log.append if log is not None else print
            built = await Builder(one, store, client, IndexSettings(), scratch, said).build()
            return await publish(built, one.tags, one.annotations, store, client)


def read(cache: Path, digest: str) -> tuple[Manifest, ImageConfig]:
    store = BuildStore(cache)
    manifest = Manifest.from_bytes(store.read_blob(digest))
    return manifest, ImageConfig.from_bytes(store.read_blob(manifest.config.digest))


def members(cache: Path, digest: str) -> list[tarfile.TarInfo]:
    plain = gzip.decompress(BuildStore(cache).read_blob(digest))
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return tar.getmembers()


async def test_an_image_has_its_layers_configuration_and_history(tmp_path: Path) -> None:
    one = replace(
        request(context(tmp_path / "c"), tmp_path / "cache"),
        labels={"org.opencontainers.image.revision": "abc", "from": "request"},
        annotations={"org.opencontainers.image.source": "https://x"},
    )
    result = await build(one)
    index = Index.from_bytes(BuildStore(one.cache).read_blob(result.index_digest))
    assert [manifest.platform for manifest in index.manifests] == list(PLATFORMS)
    assert index.annotations == {"org.opencontainers.image.source": "https://x"}
    manifest, config = read(one.cache, result.manifests["linux/arm/v7"])
    assert manifest.annotations["org.opencontainers.image.source"] == "https://x"
    assert config.platform == PLATFORMS[0]
    assert config.created == "2023-11-14T22:13:20Z"
    assert config.config.env == ("ARCH=arm",)
    assert config.config.labels == {
        "from": "request", "org.opencontainers.image.title": "file", "org.opencontainers.image.revision": "abc",
    }  # fmt: skip
    assert [(line.created_by.partition(" ")[0], line.empty_layer) for line in config.history] == [
        ("ARG", True), ("WORKDIR", False), ("COPY", False), ("COPY", False), ("ENV", True), ("LABEL", True),
        ("CMD", True),
    ]  # fmt: skip
    assert len(manifest.layers) == len(config.diff_ids) == 3
    copied = members(one.cache, manifest.layers[1].digest)
    assert [(member.name, member.uid, member.gid, member.mode) for member in copied] == [
        ("app/lib", 7, 8, 0o755), ("app/lib/a.py", 7, 8, 0o644),
    ]  # fmt: skip


async def test_two_folders_times_and_umasks_give_one_digest(tmp_path: Path) -> None:
    first = await build(request(context(tmp_path / "one"), tmp_path / "cache-1"))
    other = context(tmp_path / "elsewhere/two")
    for path in other.rglob("*"):
        path.chmod(0o775 if path.is_dir() else 0o664)
    assert await build(request(other, tmp_path / "cache-2")) == first


async def test_another_commit_time_changes_no_layer(tmp_path: Path) -> None:
    one = request(context(tmp_path / "c"), tmp_path / "cache")
    first, second = await build(one), await build(replace(one, created=1_800_000_000))
    assert first.index_digest != second.index_digest
    layers = [read(one.cache, result.manifests["linux/amd64"])[0].layers for result in (first, second)]
    assert layers[0] == layers[1]


async def test_a_change_of_one_file_makes_one_layer_new(tmp_path: Path) -> None:
    folder = context(tmp_path / "c")
    one = request(folder, tmp_path / "cache")
    first = await build(one)
    (folder / "main.py").write_text("changed")
    log: list[str] = []
    second = await build(one, log)
    before, after = (read(one.cache, result.manifests["linux/amd64"])[0].layers for result in (first, second))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]
    assert sum("(built," in line for line in log) == 1
    assert any(line.startswith("linux/arm/v7: line 4: COPY") and "unchanged" in line for line in log)


async def test_the_context_is_never_left_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nCOPY link /x\n"})
    (folder / "link").symlink_to("../secret")
    with pytest.raises(InvalidDockerfile, match=r"Dockerfile:2: link is not in the context"):
        await build(request(folder, tmp_path / "cache"))


async def test_a_dockerfile_outside_of_the_root_is_refused(tmp_path: Path) -> None:
    folder = context(tmp_path / "root/c")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    for name in ("../../Dockerfile", str(tmp_path / "Dockerfile")):
        with pytest.raises(InvalidInput, match="leads out of"):
            await build(replace(request(folder, tmp_path / "cache"), dockerfile=name, root=tmp_path / "root"))
    (folder / "Dockerfile").unlink()
    (folder / "Dockerfile").symlink_to(tmp_path / "Dockerfile")
    with pytest.raises(InvalidInput, match="leads out of"):
        await build(request(folder, tmp_path / "cache"))
    with pytest.raises(NotFound):
        await build(replace(request(folder, tmp_path / "cache"), dockerfile="none"))


async def test_a_dockerfile_beside_the_context_is_named_by_its_path(tmp_path: Path) -> None:
    folder = context(tmp_path / "root/c")
    (tmp_path / "root/docker").mkdir()
    (tmp_path / "root/docker/Dockerfile").write_text("FROM scratch\nRUN make\n")
    one = replace(request(folder, tmp_path / "cache"), dockerfile="../docker/Dockerfile", root=tmp_path / "root")
    with pytest.raises(InvalidDockerfile, match="docker/Dockerfile:2: RUN can't be built natively: `make` must be run"):
        await build(one)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ARG B\nFROM $B\n", r"Dockerfile:2: FROM \$B names nothing"),
        ("FROM --platform=amd64 x\n", "Dockerfile:1: FROM --platform=amd64: 'amd64' is no platform"),
        (
            "FROM scratch\nCOPY main.py /\nFROM scratch\nCOPY --from=0 a /b\n",
            "Dockerfile:4: a is not in the stage 0",
        ),
        ("FROM scratch\nCOPY none /x\n", "Dockerfile:2: none is not in the context"),
        ("FROM scratch\nCOPY main.py /\nRUN pip install a\n", "Dockerfile:3: .*the base scratch has no Python"),
        ("FROM scratch\nCOPY --chown=web main.py /\n", "Dockerfile:2: the image has no user 'web'"),
        ("FROM debian:bookworm\nRUN a\nRUN b\n", "(?s)Dockerfile:2: .*`a`.*\nDockerfile:3: .*`b`"),
    ],
)
async def test_faults_are_named_at_their_lines(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidDockerfile, match=message):
        await build(request(context(tmp_path / "c", {"Dockerfile": text}), tmp_path / "cache"))


async def test_a_request_for_no_platform_or_one_twice_is_refused(tmp_path: Path) -> None:
    one = request(context(tmp_path / "c"), tmp_path / "cache")
    for platforms in ((), (PLATFORMS[0], PLATFORMS[0])):
        with pytest.raises(InvalidInput, match="platform"):
            await build(replace(one, platforms=platforms))


async def test_a_target_stage_is_built_alone(tmp_path: Path) -> None:
    text = "FROM scratch AS one\nCOPY main.py /one\nFROM nowhere.example/x AS two\nRUN make\n"
    one = request(context(tmp_path / "c", {"Dockerfile": text}), tmp_path / "cache")
    result = await build(replace(one, target="one"))
    manifest, _ = read(one.cache, result.manifests["linux/amd64"])
    assert [member.name for member in members(one.cache, manifest.layers[0].digest)] == ["one"]


async def test_a_layout_holds_everything_and_nothing_else(tmp_path: Path) -> None:
    one = request(context(tmp_path / "c"), tmp_path / "cache")
    store = BuildStore(one.cache)
    async with RegistryClient() as client:
        with store.scratch() as scratch:
            built = await Builder(one, store, client, IndexSettings(), scratch, print).build()
            result = await publish(built, (), {}, store, client)
    write_layout(built, result.index_digest, "web", store, tmp_path / "layout")
    top = json.loads((tmp_path / "layout/index.json").read_text())
    assert top["manifests"][0]["digest"] == result.index_digest
    assert top["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "web"}
    kept = {f"sha256:{path.name}" for path in (tmp_path / "layout/blobs/sha256").iterdir()}
    assert kept == {result.index_digest, *result.manifests.values()} | {b.digest for one in built for b in one.blobs}
    with pytest.raises(AlreadyExists, match="is not empty"):
        write_layout(built, result.index_digest, "web", store, tmp_path / "layout")
