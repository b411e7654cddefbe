"""Which image of an index runs on a platform: the same, then the best that is compatible, as containerd orders them."""

from __future__ import annotations

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.kinds.platform import Platform
from tidegate.oci import values
from tidegate.oci.image import choose, compatible, image_manifest
from tidegate.oci.values import Descriptor, ImageConfig, Index


def index(*platforms: str) -> Index:
    return Index(
        tuple(
            Descriptor(values.OCI_MANIFEST, f"sha256:{number:064x}", 1, Platform.parse(one) if one else None)
            for number, one in enumerate(platforms)
        )
    )


def chosen(wanted: str, *platforms: str, exact: bool = False) -> str:
    return str(choose(index(*platforms), Platform.parse(wanted), exact=exact).platform)


@pytest.mark.parametrize(
    ("wanted", "platforms", "expected"),
    [
        ("linux/arm/v7", ("linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64"), "linux/arm/v7"),
        ("linux/arm/v7", ("linux/arm/v5", "linux/arm/v6", "linux/arm/v8"), "linux/arm/v6"),
        ("linux/arm", ("linux/arm/v6", "linux/arm/v7"), "linux/arm/v7"),
        ("linux/arm64", ("linux/arm/v7", "linux/arm64/v8"), "linux/arm64"),
        ("linux/arm64/v9", ("linux/arm/v7", "linux/arm64"), "linux/arm64"),
        ("linux/arm64", ("linux/amd64", "linux/arm/v6", "linux/arm/v7"), "linux/arm/v7"),
        ("linux/amd64", ("linux/386", "linux/amd64"), "linux/amd64"),
        ("linux/amd64/v3", ("linux/amd64", "linux/amd64/v2", "linux/amd64/v4"), "linux/amd64/v2"),
        ("linux/amd64", ("linux/arm64", "linux/386"), "linux/386"),
        ("linux/riscv64", ("linux/riscv64", "linux/amd64"), "linux/riscv64"),
    ],
)
def test_best_image_for_a_platform(wanted: str, platforms: tuple[str, ...], expected: str) -> None:
    assert chosen(wanted, *platforms) == expected


def test_exact_takes_no_older_variant() -> None:
    with pytest.raises(NotFound, match="not there for linux/arm/v7, only for linux/arm/v6"):
        chosen("linux/arm/v7", "linux/arm/v6", exact=True)


def test_attestations_and_manifests_without_a_platform_are_not_chosen() -> None:
    with pytest.raises(NotFound, match="only for linux/amd64"):
        chosen("linux/arm64", "unknown/unknown", "", "linux/amd64")
    with pytest.raises(NotFound, match="only for no platform"):
        chosen("linux/arm64", "")


def test_other_system_never_fits() -> None:
    assert all(one.os == "windows" for one in compatible(Platform.parse("windows/amd64")))


def test_image_needs_a_diff_id_for_each_layer() -> None:
    with pytest.raises(InvalidInput, match="as many diff_ids"):
        image_manifest(ImageConfig(Platform.parse("linux/arm64")), [Descriptor(values.OCI_LAYER, "sha256:0", 1)])
