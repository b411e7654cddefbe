"""A folder's files, without a look at any others where the tree can do without."""

from tidegate.base.files import FolderFiles, MemoryFiles, paths_below
from tidegate.workflow.parse import workflows_in

TEXT = b"on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"
NAMES = [".github/workflows/b.yaml", ".github/workflows/a.yml", ".github/workflows-old/c.yaml", "src/x.py", "z"]


class Large:
    """A tree that nobody may list as a whole."""

    def paths(self):
        raise AssertionError("every file is listed")

    def below(self, folder):
        return (name for name in NAMES if name.startswith(f"{folder}/"))

    def read(self, path):
        return TEXT

    def is_file(self, path):
        return path in NAMES

    def is_dir(self, path):
        return False


def test_a_folders_own_files_come_sorted(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(TEXT)
    for files in (MemoryFiles(dict.fromkeys(NAMES, TEXT)), FolderFiles(tmp_path), Large()):
        assert paths_below(files, ".github/workflows") == [".github/workflows/a.yml", ".github/workflows/b.yaml"]
        assert paths_below(files, "nothing") == []


def test_workflows_are_found_without_a_look_at_the_rest():
    assert [path for path, _ in workflows_in(Large())] == [".github/workflows/a.yml", ".github/workflows/b.yaml"]
