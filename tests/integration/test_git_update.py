"""From marked files in a repository to a commit, with the real git."""

import shutil
from pathlib import Path

import pytest

from tidegate.git.repository import Repository
from tidegate.git.values import Signature
from tidegate.update.automation import plan_update
from tidegate.update.marker_index import MarkerIndex

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
FLUX = Signature("Flux Image Automation", "flux@example.org")
MARKED = b'image: ghcr.io/acme/web:1 # {"$imagepolicy": "ns:web"}\r\n'


async def test_an_update_is_one_commit_that_differs_in_one_value(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r.git")
    await repository.init()
    files: dict[str, bytes | None] = {f"apps/a{number}/d.yaml": b"x: %d\n" % number for number in range(50)}
    base = await repository.write_commit(None, files | {"apps/web/d.yaml": MARKED}, author=FLUX, message="base")
    index = MarkerIndex()
    with repository.files(base) as tree:
        edited = plan_update(tree, "./apps", {"ns:web": "ghcr.io/acme/web:2"}, index=index)
    commit = await repository.write_commit(base, dict(edited.files), author=FLUX, message="Update")
    assert await repository.changed(base, commit) == ["apps/web/d.yaml"]
    with repository.files(commit) as tree:
        assert tree.read("apps/web/d.yaml") == MARKED.replace(b"web:1", b"web:2")
        assert plan_update(tree, "./apps", {"ns:web": "ghcr.io/acme/web:2"}, index=index).files == {}
