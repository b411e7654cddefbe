"""What a disk says when it can't be written, in words with a next step."""

import errno
from pathlib import Path

import pytest

from tidegate.base.disk import DISK_FULL, disk_error, is_full


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_has_a_code_and_a_remedy(number: int) -> None:
    error = disk_error(OSError(number, "full"), Path("/srv/registry/blob"))
    assert (error.code, error.remedy) == (DISK_FULL, "free some space on the disk of /srv/registry")


def test_other_trouble_of_the_disk_is_said_as_it_is() -> None:
    error = disk_error(OSError(errno.EROFS, "Read-only file system"), Path("/srv/blob"))
    assert "Read-only file system" in error.message
    assert error.code != DISK_FULL


def test_the_error_names_its_own_file_where_nobody_else_does() -> None:
    error = OSError(errno.ENOSPC, "full", "/srv/home/tags/one")
    assert is_full(error)
    assert disk_error(error).remedy == "free some space on the disk of /srv/home/tags"
    assert disk_error(OSError(errno.ENOSPC, "full")).remedy == "free some space on the disk of the home"
    assert not is_full(OSError(errno.EACCES, "no"))
    assert not is_full(ValueError("no"))
