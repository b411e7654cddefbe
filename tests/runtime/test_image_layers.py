"""Layers stacked for overlayfs look as if they were unpacked one over the other, and each is unpacked once."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.kinds.platform import Platform
from tidegate.oci.unpack import LayerFile
from tidegate.oci.values import OCI_MANIFEST, Descriptor, digest_of
from tidegate.runtime import images
from tidegate.runtime.images import check_runnable, choose
from tidegate.runtime.layer_store import stack
from tidegate.runtime.layers import FOLDER, Owners, chain_id, missing, remove, short, sweep


def blob(folder: Path, *entries: str, links: dict[str, str] | None = None, packed: bool = False) -> LayerFile:
    """A layer whose files contain their own name; a name that ends in `/` is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        for name in entries:
            info = tarfile.TarInfo(name.rstrip("/"))
            data = b"" if name.endswith("/") else name.encode()
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    data = buffer.getvalue()
    diff_id = digest_of(data)
    path = folder / diff_id[7:]
    path.write_bytes(gzip.compress(data) if packed else data)
    return LayerFile(path, diff_id)


def shown(root: Path, names: list[str]) -> set[str]:
    """The files of a stack, as overlayfs would show them where no layer hides another's."""
    files: set[str] = set()
    for name in names:
        base = root / FOLDER / name
        files |= {path.relative_to(base).as_posix() for path in base.rglob("*") if not path.is_dir()}
    return files


def test_each_layer_lies_in_its_own_folder_the_topmost_first(tmp_path: Path) -> None:
    layers = [blob(tmp_path, "usr/", "usr/a", packed=True), blob(tmp_path, "app/", "app/b")]
    names = stack(tmp_path, layers, Owners())
    assert names == [short(layers[1].diff_id or ""), short(layers[0].diff_id or "")]
    assert shown(tmp_path, names) == {"usr/a", "app/b"}


def test_a_second_image_reads_only_what_is_new(tmp_path: Path) -> None:
    base, first, second = blob(tmp_path, "a"), blob(tmp_path, "b"), blob(tmp_path, "c")
    stack(tmp_path, [base, first], Owners())
    base.path.unlink()
    assert missing(tmp_path, [base.diff_id or "", second.diff_id or ""]) == [second.diff_id]
    assert shown(tmp_path, stack(tmp_path, [base, second], Owners())) == {"a", "c"}


def test_a_layer_that_removes_something_is_unpacked_together_with_those_below(tmp_path: Path) -> None:
    layers = [blob(tmp_path, "a", "b"), blob(tmp_path, ".wh.a"), blob(tmp_path, "c")]
    names = stack(tmp_path, layers, Owners())
    assert len(names) == 2
    assert shown(tmp_path, names) == {"b", "c"}
    ids = [layer.diff_id or "" for layer in layers]
    assert missing(tmp_path, ids) == []
    assert stack(tmp_path, layers, Owners()) == names


def test_a_layer_that_goes_through_a_link_of_a_lower_one_is_unpacked_into_its_target(tmp_path: Path) -> None:
    layers = [blob(tmp_path, "usr/", "usr/lib/", "usr/lib/a", links={"lib": "usr/lib"}), blob(tmp_path, "lib/b")]
    names = stack(tmp_path, layers, Owners())
    assert len(names) == 1
    assert (tmp_path / FOLDER / names[0] / "usr/lib/b").exists()
    assert (tmp_path / FOLDER / names[0] / "lib").is_symlink()


def test_a_blob_that_is_needed_and_not_there_is_told_apart(tmp_path: Path) -> None:
    base, removing = blob(tmp_path, "a"), blob(tmp_path, ".wh.a")
    stack(tmp_path, [base], Owners())
    base.path.unlink()
    with pytest.raises(InvalidInput) as caught:
        stack(tmp_path, [base, removing], Owners())
    assert caught.value.code == "LayerMissing"


def test_a_broken_layer_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"no tar at all" * 100)
    with pytest.raises(InvalidInput):
        stack(tmp_path, [LayerFile(path, "sha256:" + "0" * 64)], Owners())
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_the_chain_id_follows_the_specification() -> None:
    # ChainID(L0) = DiffID(L0); ChainID(L0|...|Ln) = Digest(ChainID(L0|...|Ln-1) + " " + DiffID(Ln))
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    assert chain_id([one]) == one
    assert chain_id([one, two]) == digest_of(f"{one} {two}".encode())


def test_layers_that_nobody_uses_are_swept(tmp_path: Path) -> None:
    layers = [blob(tmp_path, "a"), blob(tmp_path, "b")]
    names = stack(tmp_path, layers, Owners())
    closed = tmp_path / FOLDER / names[0] / "closed"
    closed.mkdir()
    (closed / "file").touch()
    closed.chmod(0)
    assert sweep(tmp_path, {names[1]}) == 1
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [names[1]]


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    remove(tree)
    assert not tree.exists()
    assert (outside / "kept").exists()


def test_owners_are_shifted_into_the_range() -> None:
    shifted = Owners(base=1000).chown()
    assert shifted is not None
    assert shifted(5, 70000) == (1005, 66535)
    assert Owners().chown() is None


def manifest(platform: str) -> Descriptor:
    return Descriptor(OCI_MANIFEST, "sha256:" + "0" * 64, 1, Platform.parse(platform))


def test_the_machines_own_platform_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Platform, "of_machine", classmethod(lambda cls: cls("linux", "arm", "v7")))
    index = [manifest("linux/amd64"), manifest("linux/arm/v6"), manifest("linux/arm/v7")]
    assert choose(index, None, "x") == index[2]
    assert choose(index, "amd64", "x") == index[0]
    with pytest.raises(InvalidInput, match="linux/amd64, linux/arm/v6, linux/arm/v7"):
        choose(index, "s390x", "x")


def test_a_foreign_image_needs_an_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Platform, "of_machine", classmethod(lambda cls: cls("linux", "amd64", "")))
    monkeypatch.setattr(images, "_BINFMT", tmp_path)
    check_runnable(Platform.parse("linux/amd64"), None, "x")
    with pytest.raises(MissingTool) as caught:
        check_runnable(Platform.parse("linux/arm/v7"), "arm", "x")
    assert caught.value.remedy == "install the emulator: apt-get install qemu-user-static"
    (tmp_path / "qemu-arm").touch()
    check_runnable(Platform.parse("linux/arm/v7"), "arm", "x")
