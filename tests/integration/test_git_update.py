"""From marked files in a repository to a commit, with the real git."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tidegate.base.errors import NotFound
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


async def test_in_a_hostile_repository_only_regular_files_below_the_path_are_written(tmp_path: Path) -> None:
    """Symlinks that leave it, names with line breaks and quotes, a submodule that would start a program, hooks."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "deploy.yaml").write_bytes(MARKED)
    work = tmp_path / "work"
    for name in (
        "apps/.hidden/.x.yaml", "apps/new\nline.yaml", 'apps/"quoted".yml', "apps/-c.yaml", "apps/sub/Kustomization",
        "apps/.github/d.yml", "apps/é 😀.yaml", "hooks/pre-receive.yaml", "elsewhere.yaml", "apps/d.yaml.txt",
    ):  # fmt: skip
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(MARKED)
    (work / "apps/out").symlink_to(outside)
    (work / "apps/out.yaml").symlink_to(outside / "deploy.yaml")
    (work / "apps/inside.yaml").symlink_to("../elsewhere.yaml")
    (work / "apps/up").symlink_to("..")
    (work / ".gitmodules").write_text('[submodule "m"]\n\tpath = apps/m\n\turl = --upload-pack=touch\\ pwned\n')
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}

    def git(*arguments: str) -> str:
        argv = ["git", "-c", "user.name=E", "-c", "user.email=e@example.org", "-C", str(work), *arguments]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},apps/m")
    git("commit", "-qm", "hostile")
    base = git("rev-parse", "HEAD")
    repository = Repository(work / ".git")
    with repository.files(base) as tree:
        edited = plan_update(tree, "./apps", {"ns:web": "ghcr.io/acme/web:2"}, index=MarkerIndex())
    assert sorted(edited.files) == [
        'apps/"quoted".yml', "apps/-c.yaml", "apps/.github/d.yml", "apps/.hidden/.x.yaml", "apps/new\nline.yaml",
        "apps/sub/Kustomization", "apps/é 😀.yaml",
    ]  # fmt: skip
    assert edited.problems == ()
    commit = await repository.write_commit(base, dict(edited.files), author=FLUX, message="Update")
    assert sorted(await repository.changed(base, commit)) == sorted(edited.files)
    git("fsck", "--full", "--strict", "--no-dangling")
    assert git("ls-tree", commit, "apps/out.yaml", "apps/m").split() == [
        *("160000", "commit", "1" * 40, "apps/m"),
        *("120000", "blob", git("rev-parse", f"{base}:apps/out.yaml"), "apps/out.yaml"),
    ]
    assert (outside / "deploy.yaml").read_bytes() == MARKED
    assert not [*tmp_path.rglob("pwned")]
    for path in ("apps/out", "apps/out.yaml", "apps/up/apps", "apps/m", "apps/out/deploy.yaml"):
        with repository.files(base) as tree, pytest.raises(NotFound):
            plan_update(tree, path, {"ns:web": "ghcr.io/acme/web:2"}, index=MarkerIndex())
