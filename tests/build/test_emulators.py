"""Who runs another machine's programs: found by the kernel, by the programs that are there, by the machine's table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidegate.base.errors import MissingTool
from tidegate.build.sandboxing.emulation import emulator_for, has_handler, kernel_version, magic, register_line
from tidegate.kinds.platform import Platform

ARM, ARM64, AMD64, I386 = (Platform.parse(f"linux/{name}") for name in ("arm/v7", "arm64", "amd64", "386"))
S390X = Platform.parse("linux/s390x")


@pytest.fixture
def programs(tmp_path: Path) -> str:
    for name in ("qemu-arm-static", "qemu-s390x-static"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    return str(tmp_path)


def test_this_machines_own_programs_need_none(tmp_path: Path) -> None:
    assert emulator_for(AMD64, AMD64, path=str(tmp_path)) is None
    assert emulator_for(I386, AMD64, path=str(tmp_path)) is None


def test_a_foreign_program_gets_a_handler_of_the_sandboxs_own(programs: str, tmp_path: Path) -> None:
    found = emulator_for(ARM, AMD64, release="6.7.0", path=programs, table=tmp_path / "none")
    assert found is not None
    assert found.inside == "/dev/.emulators/qemu-arm-static"
    assert found.line().endswith(":/dev/.emulators/qemu-arm-static:PF")
    assert found.line("/elsewhere").endswith(":/elsewhere:PF")


@pytest.mark.parametrize(
    ("platform", "release", "said"),
    [
        (ARM64, "6.7", "qemu-aarch64-static is not installed"),
        (ARM, "6.1.0-18-amd64", "binfmt_misc has no handler"),
        (Platform.parse("linux/mips64le"), "6.7", "no emulator is known"),
    ],
)
def test_what_is_missing_is_named_with_what_brings_it(
    programs: str, tmp_path: Path, platform: Platform, release: str, said: str
) -> None:
    with pytest.raises(MissingTool, match=re.escape(said)) as raised:
        emulator_for(platform, AMD64, release=release, path=programs, table=tmp_path / "none")
    assert "qemu-user-static" in (raised.value.remedy or "") or "machine" in (raised.value.remedy or "")


@pytest.mark.parametrize(
    ("state", "flags", "found"), [("enabled", "POCF", True), ("disabled", "POCF", False), ("enabled", "", False)]
)
def test_the_machines_own_handler_will_do_where_it_needs_no_file(
    tmp_path: Path, state: str, flags: str, found: bool
) -> None:
    (tmp_path / "register").write_text("")
    lines = [state, "interpreter /usr/libexec/arm", f"flags: {flags}", "offset 0", f"magic {magic('arm').hex()}"]
    (tmp_path / "qemu-arm").write_text("\n".join(lines))
    assert has_handler(ARM, tmp_path) is found
    assert not has_handler(ARM64, tmp_path)


@pytest.mark.parametrize(
    ("architecture", "name"), [("arm", "qemu-arm"), ("arm64", "qemu-aarch64"), ("s390x", "qemu-s390x")]
)
def test_the_line_is_the_distributions_own(architecture: str, name: str) -> None:
    file = Path(f"/usr/lib/binfmt.d/{name}.conf")
    if not file.exists():
        pytest.skip("qemu-user-static is not installed: apt-get install qemu-user-static")
    theirs = file.read_text().strip().split(":")
    ours = register_line(architecture, name, "/x").split(":")
    assert ours[:4] == theirs[:4]
    assert ours[4] == theirs[4]


@pytest.mark.parametrize(("text", "version"), [("6.18.44-fc", (6, 18)), ("5.10", (5, 10)), ("odd", (0, 0))])
def test_a_kernels_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert kernel_version(text) == version
