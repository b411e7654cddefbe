"""A base by its suite: its name, its platform, and that the second call finds the first one's work."""

from __future__ import annotations

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.debian.base import architecture_of, spec_of, suite_of
from tidegate.kinds.platform import Platform


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("debian:bookworm", "bookworm"),
        ("debian:bookworm-slim", "bookworm"),
        ("debian:12", "bookworm"),
        ("debian:12.5-slim", "bookworm"),
        ("debian:trixie", "trixie"),
        ("debian:sid", "sid"),
    ],
)
def test_a_name_gives_its_suite(name: str, suite: str) -> None:
    assert suite_of(name) == suite


@pytest.mark.parametrize("name", ["debian", "debian:", "ubuntu:noble", "debian:../x", "debian:Book worm", "debian:99"])
def test_a_name_of_no_suite_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="names no Debian suite"):
        suite_of(name)


def test_a_name_may_list_the_packages() -> None:
    spec = spec_of("debian:12,python3,git,libstdc++6,perl-,git-man-")
    assert (spec.suite, spec.packages, spec.without) == (
        "bookworm", ("python3", "git", "libstdc++6"), ("perl", "git-man")
    )  # fmt: skip
    assert spec.name == "debian:bookworm"


@pytest.mark.parametrize("name", ["debian:bookworm", "debian:bookworm,perl-"])
def test_a_name_without_packages_means_python(name: str) -> None:
    assert spec_of(name).packages == ("python3",)


@pytest.mark.parametrize("word", ["", "Git", "-git", "git=1.0", "git amd64", "../x", "-"])
def test_what_names_no_package_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match="names no Debian package") as raised:
        spec_of(f"debian:bookworm,{word}")
    assert repr(word) in raised.value.message


@pytest.mark.parametrize(
    ("platform", "architecture"),
    [("linux/arm/v7", "armhf"), ("linux/arm64", "arm64"), ("linux/arm64/v8", "arm64"), ("linux/amd64", "amd64")],
)
def test_a_platform_has_debians_name(platform: str, architecture: str) -> None:
    assert architecture_of(Platform.parse(platform)) == architecture


@pytest.mark.parametrize("platform", ["linux/arm/v6", "windows/amd64", "linux/mips"])
def test_a_platform_without_a_port_is_refused(platform: str) -> None:
    with pytest.raises(InvalidInput, match="Debian has no packages"):
        architecture_of(Platform.parse(platform))
