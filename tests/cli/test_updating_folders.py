"""`tidegate update`: a folder is edited, or the diff is shown, with no server."""

import subprocess

import pytest

from tidegate.cli.main import run

DEPLOYMENT = """\
kind: Deployment
spec:
    image:   ghcr.io/me/web:1.0.0 # {"$imagepolicy": "flux-system:web"}
    tag: "1.0.0" # {"$imagepolicy": "flux-system:web:tag"}
# what some take for ends of lines: \u2028 # \x85
"""
SET = ("--set", "flux-system:web=ghcr.io/me/web:1.1.0")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/deploy.yaml").write_text(DEPLOYMENT, "utf-8")
    (tmp_path / "crlf.yml").write_bytes(DEPLOYMENT.replace("\n", "\r\n").rstrip().encode())
    (tmp_path / "notes.txt").write_text(DEPLOYMENT, "utf-8")
    return tmp_path


def update(folder, *arguments):
    return run(["update", "--path", str(folder), *arguments])


def test_the_marked_values_are_written_and_named(folder, capsys):
    (folder / ".hidden/deploy.yaml").chmod(0o640)
    assert update(folder, *SET) == 0
    assert (folder / ".hidden/deploy.yaml").read_text("utf-8") == DEPLOYMENT.replace("1.0.0", "1.1.0")
    assert (folder / ".hidden/deploy.yaml").stat().st_mode & 0o777 == 0o640
    assert (folder / "crlf.yml").read_bytes() == DEPLOYMENT.replace("1.0.0", "1.1.0").replace(
        "\n", "\r\n"
    ).rstrip().encode()
    assert (folder / "notes.txt").read_text("utf-8") == DEPLOYMENT
    assert capsys.readouterr().out.splitlines() == [
        ".hidden/deploy.yaml:3: ghcr.io/me/web:1.0.0 -> ghcr.io/me/web:1.1.0",
        ".hidden/deploy.yaml:4: 1.0.0 -> 1.1.0",
        "crlf.yml:3: ghcr.io/me/web:1.0.0 -> ghcr.io/me/web:1.1.0",
        "crlf.yml:4: 1.0.0 -> 1.1.0",
    ]
    assert update(folder, *SET) == 0
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in folder.rglob("*")) == [".hidden", "crlf.yml", "deploy.yaml", "notes.txt"]


def test_a_diff_is_one_that_git_applies_and_writes_nothing(folder, capsys):
    before = {path: path.read_bytes() for path in folder.rglob("*.y*ml")}
    assert update(folder, "--diff", *SET) == 1
    diff = capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before
    subprocess.run(["git", "apply", "-p1", "-"], input=diff.encode(), cwd=folder, check=True, timeout=30)
    assert update(folder, "--diff", *SET) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "web=ghcr.io/me/web:1"], "is not NAMESPACE:NAME=REFERENCE"),
        (["--set", "a:b"], "is not NAMESPACE:NAME=REFERENCE"),
        (["--set", "a:b=Not A Reference"], "Not A Reference"),
        ([*SET, "--set", "flux-system:web=ghcr.io/me/web:2"], "two references"),
        (["--set", "flux-system:wbe=ghcr.io/me/web:1"], "names flux-system:wbe"),
        (["--path", "/nowhere", *SET], "is no folder"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(folder, capsys, arguments, told):
    assert update(folder, *arguments) == 1
    assert told in capsys.readouterr().err
    assert update(folder, "--diff", *arguments) == 2
    assert told in capsys.readouterr().err
    assert (folder / ".hidden/deploy.yaml").read_text("utf-8") == DEPLOYMENT


def test_a_file_that_can_not_be_edited_is_named_and_the_others_are_written(folder, capsys):
    (folder / "bad.yaml").write_text('a: [ # {"$imagepolicy": "flux-system:web"}\n')
    assert update(folder, *SET) == 0
    said = capsys.readouterr()
    assert "Warning: bad.yaml" in said.err
    assert "crlf.yml:3" in said.out


@pytest.mark.parametrize("reference", ["1.1.0", "ghcr.io/me/web", "localhost:5000/web", "ghcr.io/me/web:", "Web:1"])
def test_what_names_no_version_of_an_image_is_refused(folder, capsys, reference):
    assert update(folder, "--set", f"flux-system:web={reference}") == 1
    assert reference in capsys.readouterr().err
    assert (folder / ".hidden/deploy.yaml").read_text("utf-8") == DEPLOYMENT
