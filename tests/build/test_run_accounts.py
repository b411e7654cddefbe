"""Who a RUN runs as, what it is given, and whose ids those are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.index_settings import IndexSettings
from tidegate.build.sandboxing.accounts import Account, account
from tidegate.build.sandboxing.mounts import secret_id, target_of
from tidegate.build.sandboxing.running import Line
from tidegate.build.sandboxing.users import has_range
from tidegate.build.steps import Command, Mount
from tidegate.kinds.platform import Platform
from tidegate.oci.unpack import LayerFile

AMD64 = Platform.parse("linux/amd64")


@pytest.fixture
def stack(tmp_path: Path) -> list[Path]:
    below, above = tmp_path / "below", tmp_path / "above"
    for folder in (below, above):
        (folder / "etc").mkdir(parents=True)
    (below / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nold:x:5:5::/old:\n")
    (below / "etc/group").write_text("root:x:0:\nwheel:x:10:app,root\n")
    (above / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n")
    return [above, below]


@pytest.mark.parametrize(
    ("user", "who"),
    [
        ("", Account(0, 0, (10,), "/root")),
        ("app", Account(1000, 1001, (10,), "/srv")),
        ("1000", Account(1000, 1001, (10,), "/srv")),
        ("app:wheel", Account(1000, 10, (), "/srv")),
        ("77", Account(77, 0, (), "/")),
        ("77:88", Account(77, 88, (), "/")),
    ],
)
def test_a_user_is_who_the_topmost_list_says(stack: list[Path], user: str, who: Account) -> None:
    assert account(user, stack) == who


@pytest.mark.parametrize("user", ["old", "app:none", "99999999"])
def test_a_user_that_is_not_there_is_refused(stack: list[Path], user: str) -> None:
    with pytest.raises(InvalidInput, match="the image has no"):
        account(user, stack)


@pytest.mark.parametrize(
    ("mount", "target"),
    [
        (Mount("secret", {"id": "token"}), "/run/secrets/token"),
        (Mount("secret", {"id": "token", "target": "here"}), "/srv/here"),
        (Mount("cache", {"target": "/root/.cache"}), "/root/.cache"),
        (Mount("bind", {"dst": "../in"}), "/in"),
    ],
)
def test_a_mount_has_its_place(mount: Mount, target: str) -> None:
    assert target_of(mount, "/srv") == target


@pytest.mark.parametrize("target", ["/", "/proc/x", "/dev", "../../sys"])
def test_nothing_is_mounted_on_what_a_sandbox_needs(target: str) -> None:
    with pytest.raises(InvalidInput, match="nothing can be mounted"):
        target_of(Mount("cache", {"target": target}), "/srv")


def test_a_secret_is_named_by_its_id_or_its_target() -> None:
    assert secret_id(Mount("secret", {"target": "/etc/npmrc"})) == "npmrc"
    with pytest.raises(InvalidInput, match="needs an id"):
        secret_id(Mount("secret", {"id": "../x"}))


def key(**changes: object) -> str:
    command = Command(("sh", "-c", "true"), environment=("A=1", "B=2"))
    fields: dict[str, object] = {"command": command, "layers": (), "base": 0, "platform": AMD64}
    return Line(**(fields | changes)).key(IndexSettings("https://user:secret@host/simple"))  # type: ignore[arg-type]


def test_a_key_is_of_what_a_line_reads(tmp_path: Path) -> None:
    layer = LayerFile(tmp_path / "one", "sha256:" + "a" * 64)
    assert key() == key(command=Command(("sh", "-c", "true"), environment=("B=2", "A=1")))
    assert key(layers=(layer,)) == key(layers=(LayerFile(tmp_path / "elsewhere", layer.diff_id),))
    others = [
        key(layers=(layer,)), key(platform=Platform.parse("linux/arm/v7")), key(reads=("x",)),
        key(command=Command(("sh", "-c", "false"))), key(command=Command(("sh", "-c", "true"), user="app")),
    ]  # fmt: skip
    assert len({key(), *others}) == 6


RANGES = {
    "me:100000:65536\n": True,
    "1000:100000:65536": True,
    "me:100000:1000": False,
    "you:1:65536": False,
    "": False,
}


@pytest.mark.parametrize(("text", "has"), RANGES.items())
def test_a_user_has_a_range_of_ids_or_not(tmp_path: Path, text: str, has: bool) -> None:
    (tmp_path / "subuid").write_text(text)
    assert has_range(tmp_path / "subuid", "me", 1000) is has
    assert not has_range(tmp_path / "none", "me", 1000)
