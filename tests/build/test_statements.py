"""What is said of an image: packages by the image's own lists, statements without a moment in them."""

from __future__ import annotations

import json
from pathlib import Path

from tidegate.build.attesting.packages import Found, Lists, packages_in, read_layer
from tidegate.build.attesting.statements import SLSA, Material, provenance, spdx, statement
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import parse
from tidegate.oci.layers import Entry, whiteout, write_layer

AMD64 = Platform.parse("linux/amd64")
DIGEST = f"sha256:{'a' * 64}"
STATUS = (
    b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1+b1\nDescription: x\n more\n\n\
Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
)


def layer(path: Path, *entries: Entry) -> Lists:
    return read_layer(write_layer(entries, path, mtime=0).path)


def test_packages_are_read_from_lists_of_every_kind(tmp_path: Path) -> None:
    found = layer(
        tmp_path / "layer",
        Entry("var/lib/dpkg/status", content=STATUS),
        Entry("lib/apk/db/installed", content=b"P:musl\nV:1.2.4-r2\nA:aarch64\nL:MIT\n\n"),
        Entry(
            "usr/lib/python3/dist-packages/Foo_Bar-1.0.dist-info/METADATA", content=b"Name: Foo_Bar\nVersion: 1.0\n\nx"
        ),
        Entry("srv/node_modules/@a/b/package.json", content=b'{"name": "@a/b", "version": "2.0.0", "license": "MIT"}'),
        Entry("srv/node_modules/broken/package.json", content=b"{"),
    )
    assert [package.purl for package in packages_in([found])] == [
        "pkg:apk/alpine/musl@1.2.4-r2?arch=aarch64",
        "pkg:deb/debian/bash@5.2-1+b1?arch=amd64",
        "pkg:npm/%40a/b@2.0.0",
        "pkg:pypi/foo-bar@1.0",
    ]
    assert Lists.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_what_a_later_layer_takes_away_is_not_there(tmp_path: Path) -> None:
    below = layer(tmp_path / "below", Entry("a/x-1.dist-info/METADATA", content=b"Name: x\nVersion: 1\n"))
    above = layer(tmp_path / "above", whiteout("a/x-1.dist-info"))
    assert packages_in([below]) != []
    assert packages_in([below, above]) == []


def test_a_document_names_every_package_once() -> None:
    document = spdx(
        [Found("pkg:pypi/x@1", "x", "1", "MIT"), Found("pkg:pypi/y@1", "y", "1", "as is; see file")], DIGEST, "web", 0
    )
    assert document["creationInfo"]["created"] == "1970-01-01T00:00:00Z"
    assert [one.get("licenseDeclared") for one in document["packages"]] == [None, "MIT", "NOASSERTION"]
    assert len({one["SPDXID"] for one in document["packages"]}) == 3
    assert [one["relationshipType"] for one in document["relationships"]] == ["DESCRIBES", "CONTAINS", "CONTAINS"]


def test_build_arguments_are_said_only_where_they_are_asked_for() -> None:
    labels = {"org.opencontainers.image.source": "https://x/y", "org.opencontainers.image.revision": "b" * 40}
    said = [provenance(labels, AMD64, "Dockerfile", None, args, [Material("debian:bookworm", DIGEST, AMD64)])
            for args in (None, {"TOKEN": "value"})]  # fmt: skip
    assert "value" not in json.dumps(said[0])
    request = said[1]["buildDefinition"]["externalParameters"]
    assert request["request"]["args"] == {"build-arg:TOKEN": "value"}
    assert request["configSource"] == {"path": "Dockerfile", "uri": "https://x/y", "digest": {"sha1": "b" * 40}}
    assert said[0]["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"sha256": "a" * 64}


def test_a_statement_is_about_each_name_of_the_image() -> None:
    value = statement([parse("ghcr.io/me/web:1")], DIGEST, AMD64, SLSA, {})
    assert value["subject"] == [
        {"name": "pkg:docker/ghcr.io/me/web@1?platform=linux%2Famd64", "digest": {"sha256": "a" * 64}}
    ]
