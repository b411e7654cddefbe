"""apt-get install by unpacking: what it stands on, what comes, and what can't."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from tests.build.makers import AMD64, make_deb, member

from tidegate.build.contents import Contents, content_of
from tidegate.build.context import Context
from tidegate.build.debian import adding
from tidegate.build.debian.adding import Ground, read_ground
from tidegate.build.debian.fetch import Fetcher, Wanted
from tidegate.build.debian.packages import Package, PackageIndex, parse_installed
from tidegate.build.debian.resolve import resolve
from tidegate.build.filesystem import Filesystem, Inode, folder_inode
from tidegate.build.native import NotNative
from tidegate.build.store import BuildStore
from tidegate.oci.layers import Entry, EntryKind

STATUS = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36\n"
INDEX = (
    "Package: tool\nVersion: 1.0\nArchitecture: amd64\nDepends: libc6 (>= 2.30), helper\nRecommends: extra, nowhere\n"
    "Filename: pool/main/t/tool.deb\nSize: 1\nSHA256: " + "0" * 64 + "\n\n"
    "Package: helper\nVersion: 2.0\nArchitecture: amd64\nDepends: libc6\nFilename: pool/main/h/helper.deb\nSize: 1\n"
    "SHA256: " + "1" * 64 + "\n\n"
    "Package: extra\nVersion: 3.0\nArchitecture: amd64\nFilename: pool/main/e/extra.deb\nSize: 1\n"
    "SHA256: " + "2" * 64 + "\n\n"
    "Package: newer\nVersion: 1.0\nArchitecture: amd64\nDepends: libc6 (>= 2.40)\nFilename: pool/main/n/newer.deb\n"
    "Size: 1\nSHA256: " + "3" * 64 + "\n\n"
    "Package: libc6\nVersion: 2.41\nArchitecture: amd64\nFilename: pool/main/l/libc6.deb\nSize: 1\nSHA256: " + "4" * 64
).encode()


def image(**changed: str) -> Filesystem:
    texts = {
        "etc/os-release": "ID=debian\nVERSION_CODENAME=bookworm\n", "etc/debian_version": "12.5\n",
        "var/lib/dpkg/status": STATUS, "usr/bin/dpkg": "x", "etc/dpkg/dpkg.cfg.d/docker": "",
    } | changed  # fmt: skip
    nodes = {"lib": Inode(EntryKind.SYMLINK, 0o777, target="usr/lib")}
    for path in (*texts, "usr/lib/x", "var/lib/dpkg/info/x"):
        parts = path.split("/")
        nodes |= {"/".join(parts[:depth]): folder_inode() for depth in range(1, len(parts))}
    nodes |= {path: Inode(EntryKind.FILE, content=content_of(text.encode())) for path, text in texts.items()}
    return Filesystem(nodes)


def contents(folder: Path) -> Contents:
    return Contents(Context(folder), folder)


def names(found: list[Package]) -> list[str]:
    return [package.name for package in found]


def test_what_is_installed_is_not_chosen_again_and_not_replaced() -> None:
    indexes = [PackageIndex(INDEX, "http://x")]
    installed = parse_installed(STATUS)
    assert names(resolve(indexes, ["tool"], installed=installed)) == ["helper", "tool"]
    assert names(resolve(indexes, ["tool"], installed=installed, recommends=True)) == ["extra", "helper", "tool"]
    assert names(resolve(indexes, ["libc6"], installed=installed)) == []
    with pytest.raises(Exception, match="needs libc6 in another version"):
        resolve(indexes, ["newer"], installed=installed)


def test_a_packages_state_says_whether_it_is_there() -> None:
    gone = "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    assert names(parse_installed(f"{STATUS}\n{gone}")) == ["libc6"]


def test_the_ground_is_read_from_the_image(tmp_path: Path) -> None:
    options = "path-exclude /usr/share/man/*\npath-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n"
    ground = read_ground(image(**{"etc/dpkg/dpkg.cfg.d/docker": options}), contents(tmp_path))
    assert (ground.suite, names(list(ground.installed)), ground.configured) == ("bookworm", ["libc6"], True)
    assert [ground.leaves_out(f"usr/share/doc/x/{name}") for name in ("changelog.gz", "copyright")] == [True, False]
    assert not ground.leaves_out("usr/bin/x")


@pytest.mark.parametrize(
    "changed",
    [{"etc/os-release": "ID=ubuntu\n"}, {"etc/os-release": "ID=debian\n"}, {"var/lib/dpkg/status": ""}],
)
def test_what_is_no_debian_is_not_native(tmp_path: Path, changed: dict[str, str]) -> None:
    with pytest.raises(NotNative):
        read_ground(image(**changed), contents(tmp_path))


def deb(folder: Path, name: str, files: dict[str, str | bytes], **control: str) -> tuple[Package, Path]:
    path = make_deb(folder / f"{name}.deb", files)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for script, text in ({"md5sums": ""} | control).items():
            info = tarfile.TarInfo(f"./{script}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    path.write_bytes(path.read_bytes() + member("control.tar", plain.getvalue()))
    stanza = f"Package: {name}\nVersion: 1\nArchitecture: amd64\nSHA256: 0\nDescription: x"
    return Package(name, "1", "amd64", "optional", (), (), "pool/x.deb", "0" * 64, 1, "http://x", stanza), path


class Shelf(Fetcher):
    """Gives packages that are here."""

    def __init__(self, folder: Path, debs: list[Path]):
        super().__init__(folder / "kept")
        self._debs = debs

    async def files(self, wanted: object) -> list[Path]:
        assert all(isinstance(one, Wanted) for one in wanted)  # type: ignore[attr-defined]
        return self._debs


async def added(folder: Path, files: Filesystem, *debs: tuple[Package, Path]) -> dict[str, Entry]:
    ground = read_ground(files, contents(folder))
    shelf = Shelf(folder, [path for _, path in debs])
    packages = [package for package, _ in debs]
    scratch = folder / "scratch"
    entries = await adding.add(packages, ground, files, contents(folder), shelf, scratch)
    return {entry.path: entry for entry in entries}


async def test_packages_are_unpacked_as_dpkg_would(tmp_path: Path) -> None:
    script = "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/bin/cc cc /usr/bin/gcc 20\n"
    files = {"usr/": "", "usr/bin/": "", "usr/bin/gcc": "-> gcc-12", "lib/x.so": "x", "usr/share/doc/gcc/c": "c"}
    found = await added(tmp_path, image(), deb(tmp_path, "gcc", files, postinst=script))
    assert found["usr/lib/x.so"].kind is EntryKind.FILE
    assert found["usr/share/doc/gcc/c"].kind is EntryKind.FILE
    assert "usr/bin" not in found
    assert (found["usr/bin/cc"].target, found["etc/alternatives/cc"].target) == ("/etc/alternatives/cc", "/usr/bin/gcc")
    assert found["var/lib/dpkg/info/gcc.postinst"].mode == 0o755
    assert b"/usr/bin/gcc\n" in found["var/lib/dpkg/info/gcc.list"].content  # type: ignore[operator]
    status = found["var/lib/dpkg/status"].content
    assert isinstance(status, bytes)
    assert status.decode().startswith(STATUS)
    assert "\n\nPackage: gcc\nStatus: install ok installed\nVersion: 1\n" in status.decode()


async def test_every_package_that_must_run_something_is_named(tmp_path: Path) -> None:
    bad = "#!/bin/sh\nadduser x\n"
    debs = [deb(tmp_path, name, {"usr/x": name}, **scripts) for name, scripts in (
        ("one", {"postinst": bad}), ("two", {}), ("three", {"preinst": bad, "config": "x"}),
    )]  # fmt: skip
    with pytest.raises(NotNative, match=r"the scripts of these packages: one \(postinst\), three \(config\)"):
        await added(tmp_path, image(), *debs)


async def test_a_file_of_the_image_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(NotNative, match="the package one would replace /usr/bin/dpkg"):
        await added(tmp_path, image(), deb(tmp_path, "one", {"usr/bin/dpkg": "other"}))


async def test_what_was_resolved_is_kept_until_something_else_is_asked(tmp_path: Path) -> None:
    store = BuildStore(tmp_path / "store")
    ground = Ground("bookworm", tuple(parse_installed(STATUS)))
    key = adding._lock_key(["tool"], ground, AMD64, recommends=False)
    stanza = INDEX.decode().split("\n\n")[0]
    store.remember("locks", key, {"format": adding.FORMAT, "packages": [{"control": stanza, "origin": "http://x"}]})
    found = await adding.choose(["tool"], ground, AMD64, store, Shelf(tmp_path, []), print, recommends=False)
    assert names(found) == ["tool"]
    assert adding._lock_key(["tool"], ground, AMD64, recommends=True) != key
