"""Repositories of different ways, and what adding an application to them comes to."""

from importlib import resources
from pathlib import Path

from tidegate.base.files import FolderFiles, MemoryFiles
from tidegate.lint.check import lint
from tidegate.scaffold.new_app import Plan, plan_app
from tidegate.scaffold.wish import Wish

FLUX = "clusters/my-cluster/flux-system/image-automation.yaml"
SYNC = "clusters/my-cluster/flux-system/gotk-sync.yaml"
NEW = "clusters/my-cluster/flux-system/web.yaml"


def example() -> dict[str, bytes]:
    """The guide's repository, as the demonstration has it."""
    files = FolderFiles(Path(str(resources.files("tidegate.demo") / "example")))
    return {path: files.read(path) for path in files.paths() if "__pycache__" not in path}


def after(files: dict[str, bytes], wish: Wish) -> tuple[Plan, dict[str, bytes]]:
    """The plan, and the files with it; lint finds no error in them."""
    plan = plan_app(MemoryFiles(files), wish)
    result = {**files, **plan.files}
    assert lint(MemoryFiles(result)).exit_code == 0
    assert plan.created == plan.files.keys() - files.keys()
    return plan, result


def added(before: bytes, after: bytes) -> list[str]:
    """The lines that came, where no other line changed."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    came, place = [], 0
    for line in new:
        if place < len(old) and line == old[place]:
            place += 1
        else:
            came.append(line.decode())
    assert place == len(old), "a line is gone, or has changed"
    return came
