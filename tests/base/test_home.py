"""The home: which folder may become one, and its token."""

import stat
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.home import Home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_or_empty_folder_becomes_a_home_of_ones_own(tmp_path: Path) -> None:
    for folder in (tmp_path / "a" / "new", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(mode=0o755, exist_ok=True)
        home = Home(folder).make()
        assert mode(home.root) == 0o700
        assert Home(folder).make().token() == home.token()
        assert mode(home.root / "token") == 0o600


def test_a_folder_with_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(InvalidInput, match="no home"):
        Home(tmp_path).make()
    assert mode(tmp_path) == 0o755


def test_looking_for_a_home_makes_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no tidegate runs"):
        Home(tmp_path / "nowhere").server()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe" * 20, b"short", b"root:x:0:0\nbin:x:1:1 and more"])
def test_a_file_that_is_no_token_is_told(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path / "home").make()
    (home.root / "token").write_bytes(content)
    with pytest.raises(InvalidInput, match="holds no token"):
        home.token()
