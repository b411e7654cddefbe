"""`tidegate new app` and `tidegate init`: what they print, their exit codes, and what is on the disk then."""

import os
import pty
import re
import subprocess
import sys

import pytest
from tests.scaffold.worlds import FLUX, example

from tidegate.cli.main import run

REPLACED = (
    "diff --git a/.github/workflows/web-ci.yaml b/.github/workflows/web-ci.yaml\nnew file mode 100644\n--- /dev/null\n"
)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    for path, content in example().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def new(folder, *arguments):
    return run(["new", "app", *arguments, "--path", str(folder)])


def test_a_diff_writes_nothing_and_git_applies_it(repository, capsys):
    before = tree(repository)
    assert new(repository, "web", "--diff") == 1
    diff = capsys.readouterr().out
    assert REPLACED in diff
    assert "-    path: ./apps/smartbiz-api\n+    path: ./apps\n" in diff
    assert tree(repository) == before
    subprocess.run(["git", "apply", "-p1", "-"], input=diff.encode(), cwd=repository, check=True, timeout=30)
    assert new(repository, "web", "--diff") == 0
    assert capsys.readouterr().out == ""
    assert run(["lint", str(repository)]) == 0
    capsys.readouterr()


def test_yes_writes_what_the_diff_shows(repository, capsys):
    assert new(repository, "web", "--yes") == 0
    said = capsys.readouterr()
    assert REPLACED in said.out
    assert "created apps/web/deployment.yaml\n" in said.err
    assert f"changed {FLUX}\n" in said.err
    assert run(["lint", str(repository)]) == 0
    assert new(repository, "web", "--yes") == 0
    assert "web lacks nothing" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 1), ("no\n", 1)])
def test_a_person_is_asked_at_the_terminal(repository, answer, code):
    before = tree(repository)
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.executable, [sys.executable, "-m", "tidegate", "new", "app", "web", "--path", str(repository)])
    shown, asked = b"", False
    try:
        while part := os.read(terminal, 65536):
            shown += part
            if b"Write this? [y/N]" in shown and not asked:
                asked = True
                os.write(terminal, answer.encode())
    except OSError:
        pass  # how a pty says that the other side has ended
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, shown.decode()
    assert (tree(repository) == before) is bool(code)


def test_where_nobody_can_be_asked_nothing_is_written(repository):
    before = tree(repository)
    argv = [sys.executable, "-m", "tidegate", "new", "app", "web", "--path", str(repository)]
    done = subprocess.run(argv, start_new_session=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "nothing was confirmed, so nothing was written\nanswer y, or give --yes" in done.stderr
    assert tree(repository) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["../web"], "is no name for an application"),
        (["web", "--image", "ghcr.io/me/web:1"], "has a tag"),
        (["web", "--from", "nowhere"], "is no folder"),
        (["web", "--cluster", "elsewhere"], "no Flux object is in elsewhere"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(repository, capsys, arguments, told):
    before = tree(repository)
    assert new(repository, *arguments, "--yes") == 1
    assert told in capsys.readouterr().err
    assert new(repository, *arguments, "--diff") == 2
    assert told in capsys.readouterr().err
    assert tree(repository) == before
    assert new(repository, "web", "--port", "x") == 2
    assert new(repository / "nowhere", "web") == 1
    assert "is no folder" in capsys.readouterr().err
    capsys.readouterr()


def test_a_folder_outside_is_copied_without_what_is_hidden(repository, tmp_path, capsys):
    source = tmp_path / "source"
    for path in ("main.py", "lib/x.py", "run.sh", ".env", ".git/config", "node_modules/x.js", ".dockerignore"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(f"{path}\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("/etc/passwd")
    assert new(repository, "web", "--from", str(source), "--yes") == 0
    capsys.readouterr()
    found = {path.relative_to(repository / "apps/web").as_posix() for path in (repository / "apps/web").rglob("*.*")}
    assert found == {
        "main.py", "lib/x.py", "run.sh", ".dockerignore", "deployment.yaml", "kustomization.yaml", "namespace.yaml",
        "service.yaml",
    }  # fmt: skip
    assert os.access(repository / "apps/web/run.sh", os.X_OK)
    assert 'CMD ["python3", "main.py"]' in (repository / "apps/web/Dockerfile").read_text()


def test_a_symlink_in_the_place_of_a_file_is_refused(repository, tmp_path, capsys):
    (repository / "apps/web").symlink_to(tmp_path)
    assert new(repository, "web", "--yes") == 1
    assert "symlink" in capsys.readouterr().err
    assert not (tmp_path / "deployment.yaml").exists()


# init


def test_init_lays_out_a_repository_that_lint_has_nothing_against(tmp_path, capsys):
    first, second = tmp_path / "a/fleet", tmp_path / "b/fleet"
    for folder in (first, second):
        assert run(["init", str(folder), "--owner", "Ada"]) == 0
    said = capsys.readouterr().err
    assert "git add --all && git commit" in said
    files = {path: content for path, content in tree(first).items() if not path.startswith(".git/")}
    assert files == {path: content for path, content in tree(second).items() if not path.startswith(".git/")}
    assert sorted(files) == [
        ".github/workflows/hello-ci.yaml", "README.md", "apps/hello/Dockerfile", "apps/hello/deployment.yaml",
        "apps/hello/kustomization.yaml", "apps/hello/main.py", "apps/hello/namespace.yaml", "apps/hello/service.yaml",
        "apps/kustomization.yaml", "clusters/my-cluster/apps.yaml", "clusters/my-cluster/flux-system/gotk-sync.yaml",
        "clusters/my-cluster/flux-system/hello.yaml", "clusters/my-cluster/flux-system/image-automation.yaml",
        "clusters/my-cluster/flux-system/kustomization.yaml",
    ]  # fmt: skip
    assert b"ghcr.io/ada/hello:1.0.0 # {" in files["apps/hello/deployment.yaml"]
    assert run(["lint", str(first)]) == 0
    assert capsys.readouterr().out.endswith("0 errors, 0 warnings; 1 automation proven not to loop\n")
    assert git(first, "symbolic-ref", "HEAD") == "refs/heads/main"


def test_init_takes_owner_name_and_branch_of_the_repository_that_is_there(tmp_path, capsys):
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    git(tmp_path, "remote", "add", "origin", "git@github.com:Ada/fleet.git")
    (tmp_path / "README.md").write_text("mine\n")
    assert run(["init", str(tmp_path), "--app", "shop", "--port", "9000"]) == 0
    capsys.readouterr()
    assert (tmp_path / "README.md").read_text() == "mine\n"
    sync = (tmp_path / "clusters/my-cluster/flux-system/gotk-sync.yaml").read_text()
    assert "url: https://github.com/Ada/fleet\n" in sync
    assert "branch: trunk\n" in sync
    assert "      - trunk\n" in (tmp_path / ".github/workflows/shop-ci.yaml").read_text()
    assert 'ThreadingHTTPServer(("", 9000), Handler)' in (tmp_path / "apps/shop/main.py").read_text()
    before = tree(tmp_path)
    assert run(["init", str(tmp_path)]) == 1
    assert "has Flux's objects already\n`tidegate new app NAME` adds" in capsys.readouterr().err
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no remote says whose repository this is"),
        (["--owner", "a/b"], "image reference|no owner"),
        (["--owner", "ada", "--app", "No"], "is no name for an application"),
        (["--owner", "ada", "--name", "../x"], "is no repository's name"),
        (["--owner", "ada", "--registry", "no host"], "registry host|no image reference"),
    ],
)
def test_init_says_what_is_wrong_and_makes_nothing(tmp_path, capsys, arguments, told):
    assert run(["init", str(tmp_path / "fleet"), *arguments]) == 1
    assert re.search(told, capsys.readouterr().err)
    assert not (tmp_path / "fleet").exists()


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()
