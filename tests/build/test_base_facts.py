"""What is known of a base from its layers alone: directories, links, users, its Python and its C library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.contents import content_of
from tidegate.build.facts import Facts, Python, inspect
from tidegate.oci.layers import Entry, directory, symlink, whiteout, write_layer

GLIBC = b"\x7fELF...GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.\n"
MUSL = b"\x7fELF...\x00musl libc (armhf)\x001.2.5\x00"


def facts(tmp_path: Path, *layers: list[Entry]) -> Facts:
    paths = [write_layer(layer, tmp_path / f"{at}.tar.gz", mtime=0).path for at, layer in enumerate(layers)]
    return inspect(paths)


def python(path: str, version: str) -> Entry:
    return Entry(path, mode=0o755, content=b"\x7fELF\x009.9.9\x00" + version.encode() + b"\x00 (main, ")


DEBIAN = [
    python("usr/bin/python3.11", "3.11.2"),
    symlink("usr/bin/python3", "python3.11"),
    Entry("etc/debian_version", content=b"12.5\n"),
    Entry("usr/lib/arm-linux-gnueabihf/libc.so.6", content=GLIBC),
    Entry("etc/passwd", content=b"root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34::/:/bin/false\n"),
    Entry("etc/group", content=b"root:x:0:\nstaff:x:50:web\n"),
    directory("usr"),
]


def test_debians_python_installs_to_dist_packages(tmp_path: Path) -> None:
    found = facts(tmp_path, DEBIAN)
    assert found.python == Python("/usr/bin/python3.11", "3.11.2", "usr/local", "lib/python3.11/dist-packages")
    assert (found.libc, found.libc_version) == ("glibc", (2, 36))
    assert found.files["etc/passwd"].content == content_of(DEBIAN[4].content)
    assert found.has_packages is False


def test_the_official_images_python_comes_before_debians(tmp_path: Path) -> None:
    official = [
        Entry("usr/local/bin/python3.13", mode=0o755, content=b"\x7fELF"),
        symlink("usr/local/bin/python3", "python3.13"),
        Entry("usr/local/lib/libpython3.13.so.1.0", content=b"\x7fELF\x003.13.1\x00"),
        Entry("usr/local/lib/python3.13/site-packages/pip-25.dist-info/METADATA", content=b"x"),
    ]
    found = facts(tmp_path, DEBIAN, official)
    assert found.python == Python("/usr/local/bin/python3.13", "3.13.1", "usr/local", "lib/python3.13/site-packages")
    assert found.python.site_packages == "usr/local/lib/python3.13/site-packages"
    assert found.has_packages


def test_alpine_has_musl_and_site_packages_below_usr(tmp_path: Path) -> None:
    layer = [python("usr/bin/python3.12", "3.12.9"), Entry("lib/ld-musl-armhf.so.1", content=MUSL)]
    found = facts(tmp_path, layer)
    assert found.python == Python("/usr/bin/python3.12", "3.12.9", "usr", "lib/python3.12/site-packages")
    assert (found.libc, found.libc_version) == ("musl", (1, 2))


def test_where_there_are_several_the_one_called_python3_is_meant(tmp_path: Path) -> None:
    layer = [python(f"usr/bin/python3.{minor}", f"3.{minor}.1") for minor in (9, 11, 13)]
    found = facts(tmp_path, [*layer, symlink("usr/bin/python3", "python3.11")])
    assert found.python is not None
    assert found.python.version == "3.11.1"


def test_a_later_layer_takes_away_what_it_whites_out(tmp_path: Path) -> None:
    found = facts(tmp_path, DEBIAN, [whiteout("usr/bin/python3.11"), whiteout("etc/passwd")])
    assert found.python is None
    assert "etc/passwd" not in found.files


def test_an_image_without_python_is_known_as_such(tmp_path: Path) -> None:
    assert facts(tmp_path, [Entry("app", content=b"x")]).python is None
    assert facts(tmp_path).files == {}


def test_facts_survive_their_record(tmp_path: Path) -> None:
    found = facts(tmp_path, DEBIAN)
    blobs = [tmp_path / "0.tar.gz"]
    assert Facts.from_json(json.loads(json.dumps(found.as_json(blobs))), blobs) == found
    assert Facts.from_json(found.as_json(blobs) | {"format": 0}, blobs) is None


def test_a_broken_layer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer"
    path.write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(InvalidInput, match="the layer layer is broken"):
        inspect([path])
