"""Whole builds of several stages, without network: what one stage has is what the next one copies."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.build.test_builds_in_process import build, context, members, read, request

from tidegate.base.errors import LimitExceeded
from tidegate.build import archives
from tidegate.build.builder import Builder
from tidegate.build.dockerfile import InvalidDockerfile
from tidegate.build.executing import StageState
from tidegate.build.index_settings import IndexSettings
from tidegate.build.layering import Layers, Made
from tidegate.build.steps import NeedsShell
from tidegate.build.store import BuildStore
from tidegate.kinds.platform import Platform
from tidegate.oci.client import RegistryClient
from tidegate.oci.layers import Entry

DOCKERFILE = """\
FROM scratch AS files
COPY --chown=7:8 --chmod=750 main.py /opt/tool/
WORKDIR /opt/tool/data
FROM scratch AS unused
COPY nothing.of.that.name /
FROM files AS more
COPY <<"one" <<-two /opt/tool/etc/
$HOME
one
	second
	two
FROM scratch
COPY --from=more --chown=9 /opt/tool /usr/tool
COPY --from=files /opt/tool/main.py /kept.py
"""


async def test_files_go_from_stage_to_stage(tmp_path: Path) -> None:
    one = request(context(tmp_path / "c", {"Dockerfile": DOCKERFILE}), tmp_path / "cache")
    result = await build(one)
    manifest, config = read(one.cache, result.manifests["linux/arm/v7"])
    assert len(manifest.layers) == 2
    assert [line.created_by.partition(" ")[0] for line in config.history] == ["COPY", "COPY"]
    first, second = (members(one.cache, layer.digest) for layer in manifest.layers)
    assert [(member.name, member.mode, member.uid, member.gid) for member in first] == [
        ("usr", 0o755, 9, 9),
        ("usr/tool", 0o755, 9, 9),
        ("usr/tool/data", 0o755, 9, 9),
        ("usr/tool/etc", 0o755, 9, 9),
        ("usr/tool/etc/one", 0o644, 9, 9),
        ("usr/tool/etc/two", 0o644, 9, 9),
        ("usr/tool/main.py", 0o750, 9, 9),
    ]
    assert [(member.name, member.mode, member.uid, member.gid) for member in second] == [("kept.py", 0o750, 7, 8)]


async def test_the_lines_of_a_stage_below_are_in_the_image_built_upon_it(tmp_path: Path) -> None:
    one = replace(request(context(tmp_path / "c", {"Dockerfile": DOCKERFILE}), tmp_path / "cache"), target="more")
    manifest, config = read(one.cache, (await build(one)).manifests["linux/amd64"])
    assert [line.created_by.partition(" ")[0] for line in config.history] == ["COPY", "WORKDIR", "COPY"]
    assert len(manifest.layers) == 3


async def test_a_stage_without_a_platform_of_its_own_is_built_once(tmp_path: Path) -> None:
    text = "FROM --platform=$BUILDPLATFORM scratch AS a\nCOPY main.py /a\nFROM scratch\nCOPY --from=a /a /b\n"
    one = request(context(tmp_path / "c", {"Dockerfile": text}), tmp_path / "cache")
    log: list[str] = []
    await build(one, log)
    assert sum("line 2" in line for line in log) == 1


def archive(compression: str = "gz", *more: tarfile.TarInfo) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode=f"w:{compression}") as tar:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("./tool/")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o750
        tar.addfile(folder)
        file = tarfile.TarInfo("./tool/run")
        file.size, file.mode, file.uid, file.gid = 3, 0o755, 5, 6
        tar.addfile(file, io.BytesIO(b"run"))
        link = tarfile.TarInfo("./tool/link")
        link.type, link.linkname = tarfile.SYMTYPE, "run"
        tar.addfile(link)
        for info in more:
            tar.addfile(info)
    return plain.getvalue()


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
async def test_add_unpacks_an_archive_and_copy_does_not(tmp_path: Path, compression: str) -> None:
    text = "FROM scratch\nADD a.tar /opt\nCOPY a.tar /a.tar\n"
    folder = context(tmp_path / "c", {"Dockerfile": text})
    (folder / "a.tar").write_bytes(archive(compression))
    one = request(folder, tmp_path / "cache")
    manifest, _ = read(one.cache, (await build(one)).manifests["linux/amd64"])
    added, copied = (members(one.cache, layer.digest) for layer in manifest.layers)
    assert [(member.name, member.mode, member.uid, member.gid, member.linkname) for member in added] == [
        ("opt", 0o755, 0, 0, ""),
        ("opt/tool", 0o750, 0, 0, ""),
        ("opt/tool/link", 0o777, 0, 0, "run"),
        ("opt/tool/run", 0o755, 5, 6, ""),
    ]
    assert [member.name for member in copied] == ["a.tar"]


async def test_add_copies_a_compressed_file_that_is_no_archive(tmp_path: Path) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nADD a.gz /x/\n"})
    (folder / "a.gz").write_bytes(b"\x1f\x8b\x08 no archive")
    one = request(folder, tmp_path / "cache")
    manifest, _ = read(one.cache, (await build(one)).manifests["linux/amd64"])
    assert [member.name for member in members(one.cache, manifest.layers[0].digest)] == ["x", "x/a.gz"]


def hostile(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (hostile("../etc/passwd"), "leads out of it"),
        (hostile("a/../../b"), "leads out of it"),
        (hostile("a/" * 300 + "b"), "leads out of it"),
        (hostile("null", tarfile.CHRTYPE), "is a device"),
        (hostile("pipe", tarfile.FIFOTYPE), "is a device, a pipe"),
        (hostile("hard", tarfile.LNKTYPE, "../../etc/shadow"), "leads out of it"),
        (hostile("hard", tarfile.LNKTYPE, "etc/shadow"), "is a link to nothing in it"),
        (hostile("tool/.wh.run"), "deletes what is below it"),
        (hostile("tool"), "can't replace the directory"),
    ],
)
async def test_a_hostile_archive_is_refused(tmp_path: Path, entry: tarfile.TarInfo, message: str) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nADD a.tar /opt\n"})
    (folder / "a.tar").write_bytes(archive("gz", entry))
    with pytest.raises(InvalidDockerfile, match=message) as raised:
        await build(request(folder, tmp_path / "cache"))
    assert raised.value.problems[0].line == 2


async def test_an_archive_that_ends_too_soon_is_refused(tmp_path: Path) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nADD a.tar /opt\n"})
    (folder / "a.tar").write_bytes(archive("")[:1100])
    with pytest.raises(InvalidDockerfile, match=r"a\.tar is broken|a\.tar ends inside"):
        await build(request(folder, tmp_path / "cache"))


async def test_a_link_of_an_archive_is_followed_inside_of_the_image_alone(tmp_path: Path) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nADD a.tar /opt\n"})
    outside = tmp_path / "outside"
    outside.mkdir()
    link = hostile("out", tarfile.SYMTYPE, str(outside))
    (folder / "a.tar").write_bytes(archive("gz", link, hostile("out/file")))
    one = request(folder, tmp_path / "cache")
    manifest, _ = read(one.cache, (await build(one)).manifests["linux/amd64"])
    names = [member.name for member in members(one.cache, manifest.layers[0].digest)]
    assert str(outside / "file").lstrip("/") in names
    assert list(outside.iterdir()) == []


async def test_a_name_that_would_delete_something_is_refused_in_a_context(tmp_path: Path) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nCOPY src /x\n", "src/.wh.passwd": ""})
    with pytest.raises(InvalidDockerfile, match=r"Dockerfile:2: /x/\.wh\.passwd can't be in an image"):
        await build(request(folder, tmp_path / "cache"))


class FakeSandbox:
    """Plays the part of what runs a command: writes what the command was, and what it saw."""

    def __init__(self, store: BuildStore, scratch: Path):
        self.layers, self.store = Layers(store, scratch), store

    async def run(self, step: NeedsShell, state: StageState) -> Made:
        async def entries() -> list[Entry]:
            return [Entry("ran", content=" ".join(step.command.argv).encode())]

        assert [layer.path.is_file() for layer in state.layers(self.store)] == [True]
        assert "main.py" in state.files.nodes
        return await self.layers.get(f"{state.platform.architecture}-{step.line}", entries)


async def test_a_line_that_must_run_is_given_to_the_sandbox(tmp_path: Path) -> None:
    text = "FROM scratch AS a\nCOPY main.py /\nRUN make all\nFROM scratch\nCOPY --from=a /ran /main.py /\n"
    folder = context(tmp_path / "c", {"Dockerfile": text})
    one = replace(request(folder, tmp_path / "cache"), platforms=(Platform.parse("linux/arm/v7"),))
    store = BuildStore(one.cache)
    async with RegistryClient() as client:
        with store.scratch() as scratch:
            sandbox = FakeSandbox(store, scratch)
            (built,) = await Builder(one, store, client, IndexSettings(), scratch, print, lambda *_: sandbox).build()
    manifest, _ = read(one.cache, built.descriptor.digest)
    ran = members(one.cache, manifest.layers[0].digest)
    assert [(member.name, member.size) for member in ran] == [("main.py", 4), ("ran", len("/bin/sh -c make all"))]


async def test_the_commands_of_a_run_are_one_layer(tmp_path: Path) -> None:
    text = (
        "FROM scratch\nENV NAME=conf\nWORKDIR /srv\n"
        "RUN mkdir -p data/deep && chown -R 5:6 data && echo hello > data/$NAME\n"
        "RUN <<EOF\nset -e\ntouch made\nrm -r data/deep\nEOF\n"
        "RUN cat <<EOF > text && chmod 600 text\nname: $NAME\nEOF\nRUN true\n"
    )
    one = request(context(tmp_path / "c", {"Dockerfile": text}), tmp_path / "cache")
    manifest, config = read(one.cache, (await build(one)).manifests["linux/arm/v7"])
    assert [line.empty_layer for line in config.history] == [True, False, False, False, False, True]
    layers = [members(one.cache, layer.digest) for layer in manifest.layers]
    assert [[(member.name, member.mode, member.uid, member.size) for member in layer] for layer in layers] == [
        [("srv", 0o755, 0, 0)],
        [("srv/data", 0o755, 5, 0), ("srv/data/conf", 0o644, 0, 6), ("srv/data/deep", 0o755, 5, 0)],
        [("srv/data/.wh.deep", 0o644, 0, 0), ("srv/made", 0o644, 0, 0)],
        [("srv/text", 0o600, 0, 11)],
    ]


async def test_a_command_that_would_fail_is_named_with_its_line(tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY main.py /\nRUN mkdir /a && mkdir /main.py/x\n"
    one = request(context(tmp_path / "c", {"Dockerfile": text}), tmp_path / "cache")
    with pytest.raises(
        InvalidDockerfile, match=r"Dockerfile:3: RUN can't be built natively: there is no directory /main"
    ):
        await build(one)


async def test_a_native_line_that_would_fail_is_given_to_the_sandbox_as_it_stands(tmp_path: Path) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nCOPY main.py /\nRUN mkdir /a && rm /nothing\n"})
    one = replace(request(folder, tmp_path / "cache"), platforms=(Platform.parse("linux/arm/v7"),))
    store = BuildStore(one.cache)
    async with RegistryClient() as client:
        with store.scratch() as scratch:
            sandbox = FakeSandbox(store, scratch)
            (built,) = await Builder(one, store, client, IndexSettings(), scratch, print, lambda *_: sandbox).build()
    manifest, _ = read(one.cache, built.descriptor.digest)
    (ran,) = members(one.cache, manifest.layers[1].digest)
    assert ran.size == len("/bin/sh -c mkdir /a && rm /nothing")


async def test_an_archive_that_holds_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = context(tmp_path / "c", {"Dockerfile": "FROM scratch\nADD a.tar /opt\n"})
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:xz") as tar:
        zeros = tarfile.TarInfo("zeros")
        zeros.size = 64 * 1024 * 1024
        tar.addfile(zeros, io.BytesIO(bytes(zeros.size)))
    (folder / "a.tar").write_bytes(plain.getvalue())
    monkeypatch.setattr(archives, "SIZE_LIMIT", 1024 * 1024)
    with pytest.raises(LimitExceeded, match="has more than"):
        await build(request(folder, tmp_path / "cache"))
    assert not list((tmp_path / "cache/scratch").iterdir())
