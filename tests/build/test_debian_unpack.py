"""Packages become a root file system without running anything of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.build.makers import make_deb, member

from tidegate.base.errors import InvalidInput
from tidegate.build.debian.compose import CA_BUNDLE, compose
from tidegate.build.debian.deb import members, unpack
from tidegate.build.debian.packages import Package
from tidegate.oci.layers import Entry, EntryKind

CONTROL = "Package: {name}\nVersion: 1.0\nFilename: pool/x.deb\nSHA256: aa\nDescription: a thing"


def package(name: str) -> Package:
    return Package(
        name, "1.0", "amd64", "optional", (), (), f"pool/{name}.deb", "a" * 64, 1, "", CONTROL.format(name=name)
    )


def root(tmp_path: Path, **packages: Mapping[str, str | bytes]) -> dict[str, Entry]:
    tmp_path.mkdir(exist_ok=True)
    unpacked = [unpack(make_deb(tmp_path / f"{name}.deb", files), tmp_path / name) for name, files in packages.items()]
    return {entry.path: entry for entry in compose([package(name) for name in packages], unpacked)}


def content(entry: Entry) -> bytes:
    return entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content


def test_files_of_the_old_places_go_to_the_merged_usr(tmp_path: Path) -> None:
    tree = root(tmp_path, bash={"bin/": "", "bin/bash": "ELF", "bin/sh": "-> bash", "lib64/": "", "lib64/ld.so": "x"})
    assert content(tree["usr/bin/bash"]) == b"ELF"
    assert tree["usr/bin/sh"].target == "bash"
    assert {path: tree[path].target for path in ("bin", "sbin", "lib", "lib64")} == {
        "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
    }  # fmt: skip


def test_the_links_of_a_merged_usr_may_come_with_a_package(tmp_path: Path) -> None:
    tree = root(tmp_path, **{"base-files": {"bin": "-> usr/bin", "usr/bin/": ""}, "sed": {"bin/sed": "ELF"}})
    assert (tree["bin"].kind, tree["bin"].target) == (EntryKind.SYMLINK, "usr/bin")
    assert tree["usr/bin"].kind is EntryKind.DIRECTORY
    assert "usr/bin/sed" in tree


def test_lib64_is_there_only_where_a_package_has_files_in_it(tmp_path: Path) -> None:
    assert "lib64" not in root(tmp_path, bash={"bin/bash": "ELF"})


def test_documentation_is_left_out_but_licences_are_kept(tmp_path: Path) -> None:
    tree = root(
        tmp_path,
        sed={"usr/share/doc/sed/copyright": "GPL", "usr/share/doc/sed/README": "x", "usr/share/man/man1/sed.1": "x"},
    )
    assert "usr/share/doc/sed/copyright" in tree
    assert "usr/share/doc/sed/README" not in tree
    assert not any(path.startswith("usr/share/man/") for path in tree)


def test_modes_and_times_of_the_package_are_kept(tmp_path: Path) -> None:
    tree = root(tmp_path, sed={"usr/bin/sed": "ELF", "etc/sed.conf": "x"})
    assert (tree["usr/bin/sed"].mode, tree["etc/sed.conf"].mode) == (0o755, 0o644)
    assert tree["usr/bin/sed"].mtime == 1_600_000_000


def test_a_hard_link_points_into_the_merged_usr(tmp_path: Path) -> None:
    tree = root(tmp_path, gzip={"bin/gunzip": "x", "bin/uncompress": "=> ./bin/gunzip"})
    assert (tree["usr/bin/uncompress"].kind, tree["usr/bin/uncompress"].target) == (
        EntryKind.HARDLINK,
        "usr/bin/gunzip",
    )


def test_users_shells_and_name_services_are_set_up_as_the_scripts_would(tmp_path: Path) -> None:
    tree = root(
        tmp_path,
        base={
            "usr/share/base-passwd/passwd.master": "root:*:0:0::/root:/bin/bash\n",
            "usr/share/base-passwd/group.master": "root:*:0:\n",
            "usr/share/libc-bin/nsswitch.conf": "hosts: files dns\n",
        },
    )
    assert content(tree["etc/passwd"]).startswith(b"root:")
    assert content(tree["etc/group"]).startswith(b"root:")
    assert content(tree["etc/nsswitch.conf"]) == b"hosts: files dns\n"
    assert tree["tmp"].mode == 0o1777
    assert tree["root"].mode == 0o700
    assert tree["var/run"].target == "/run"


def test_alternatives_get_their_links(tmp_path: Path) -> None:
    tree = root(tmp_path, mawk={"usr/bin/mawk": "ELF"})
    assert tree["usr/bin/awk"].target == "/etc/alternatives/awk"
    assert tree["etc/alternatives/awk"].target == "/usr/bin/mawk"
    assert "usr/bin/awk" not in root(tmp_path / "other", sed={"usr/bin/sed": "ELF"})


def test_python_is_found_under_the_names_of_the_official_image(tmp_path: Path) -> None:
    tree = root(tmp_path, python={"usr/bin/python3": "-> python3.11", "usr/bin/python3.11": "ELF"})
    assert tree["usr/local/bin/python"].target == "/usr/bin/python3"


def test_the_authorities_are_joined_into_one_bundle(tmp_path: Path) -> None:
    folder = "usr/share/ca-certificates/mozilla"
    tree = root(tmp_path, ca={f"{folder}/B.crt": "BBB", f"{folder}/A.crt": "AAA\n"})
    assert content(tree[CA_BUNDLE]) == b"AAA\nBBB\n"
    assert content(tree["etc/ca-certificates.conf"]) == b"mozilla/A.crt\nmozilla/B.crt\n"


def test_scanners_find_the_packages(tmp_path: Path) -> None:
    status = content(root(tmp_path, sed={"usr/bin/sed": "x"})["var/lib/dpkg/status"]).decode()
    assert "Package: sed\nStatus: install ok unpacked\nVersion: 1.0\n" in status
    assert "Filename" not in status


def test_every_parent_directory_is_there(tmp_path: Path) -> None:
    tree = root(tmp_path, app={"opt/a/b/c": "x"})
    assert [tree[path].kind for path in ("opt", "opt/a", "opt/a/b")] == [EntryKind.DIRECTORY] * 3


def test_two_packages_may_share_directories_and_equal_files_only(tmp_path: Path) -> None:
    assert "etc/x" in root(tmp_path, a={"etc/": "", "etc/x": "same"}, b={"etc/": "", "etc/x": "same"})
    with pytest.raises(InvalidInput, match="package b holds /etc/x"):
        root(tmp_path / "again", a={"etc/x": "one"}, b={"etc/x": "two"})


@pytest.mark.parametrize("path", ["../../etc/passwd", "usr/../../x"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput, match="leaves the root"):
        unpack(make_deb(tmp_path / "evil.deb", {path: "x"}), tmp_path / "out")


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"<html>")
    with pytest.raises(InvalidInput, match="is no Debian package"):
        list(members(path))


def test_a_package_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"!<arch>\n" + member("data.tar", b"1234567890")[:-4])
    with pytest.raises(InvalidInput, match="cut short"):
        list(members(path))


def test_a_package_without_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"!<arch>\n" + member("debian-binary", b"2.0\n"))
    with pytest.raises(InvalidInput, match="holds no files"):
        unpack(path, tmp_path / "out")
