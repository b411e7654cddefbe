"""Diffs of edited files: what git takes from them."""

import subprocess

import pytest

from tidegate.update.diff import unified_diff


def diff(before, after):
    return b"".join(unified_diff(before.__getitem__, after))


def test_a_changed_line_is_shown_with_its_surroundings():
    before = {"a.yaml": b"1\n2\n3\n4\n5\n6\n7\n8\n9\n"}
    assert diff(before, {"a.yaml": before["a.yaml"].replace(b"5", b"five")}) == (
        b"--- a/a.yaml\n+++ b/a.yaml\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
    )


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a.yaml", b"x: 1", b"x: 2"),
        ("a.yaml", b"x: 1\r\ny: 1\r\n", b"x: 1\r\ny: 2\r\n"),
        ("a.yaml", b"x: 1\x0c\x85\n# \xe2\x80\xa8\ny: 1\n", b"x: 2\x0c\x85\n# \xe2\x80\xa8\ny: 1\n"),
        ("with space/tür.yaml", b"x: 1\n", b"x: 2\n"),
        ('quoted "x" \\ and\ttab\nline.yaml', b"x: 1\n", b"x: 2\n"),
        ("no text \udcff.yaml", b"x: 1\n", b"x: 2\n"),
    ],
)
def test_git_takes_it_whatever_the_file_and_its_name(tmp_path, path, before, after):
    target = tmp_path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(before)
    patch = b"automation flux-system/auto\n\n    Update\n\n" + diff({path: before}, {path: after})
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True, timeout=30)
    assert target.read_bytes() == after
