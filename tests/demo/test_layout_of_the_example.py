import pytest

from tidegate.base.errors import InvalidInput
from tidegate.demo import layout


def test_the_example_is_laid_out_whole(tmp_path):
    layout.lay_out(tmp_path / "new", path_filter=True)
    found = {path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert {
        ".github/workflows/smartbiz-ci.yaml",
        "apps/smartbiz-api/Dockerfile",
        "apps/smartbiz-api/deployment.yaml",
        "apps/smartbiz-api/kustomization.yaml",
        "apps/smartbiz-api/main.py",
        "apps/smartbiz-api/namespace.yaml",
        "apps/smartbiz-api/requirements.txt",
        "apps/smartbiz-api/service.yaml",
        "apps/smartbiz-api/tests/test_main.py",
        "clusters/my-cluster/flux-system/gotk-sync.yaml",
        "clusters/my-cluster/flux-system/image-automation.yaml",
    } <= found


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(InvalidInput, match="not empty"):
        layout.lay_out(tmp_path, path_filter=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_control_has_no_path_filter_and_nothing_else_differs(tmp_path):
    layout.lay_out(tmp_path / "with", path_filter=True)
    layout.lay_out(tmp_path / "without", path_filter=False)
    kept = (tmp_path / "with" / layout.WORKFLOW).read_text().splitlines()
    less = (tmp_path / "without" / layout.WORKFLOW).read_text().splitlines()
    assert [line for line in kept if line in less] == less
    assert len(kept) - len(less) == 7
    assert not any(line.strip() == "paths:" for line in less)


def test_only_the_word_changes_in_main(tmp_path):
    layout.lay_out(tmp_path / "new", path_filter=True)
    before = (tmp_path / "new" / layout.MAIN).read_text()
    layout.write_word(tmp_path / "new", "fresh")
    after = (tmp_path / "new" / layout.MAIN).read_text()
    assert after == before.replace('WORD = "tide"', 'WORD = "fresh"')
    assert layout.new_word() != layout.new_word()
