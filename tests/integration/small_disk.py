"""Small disks of their own for the folders of a home, to be filled up and emptied again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

FILL = ".fill"


class Disk:
    """A file system in memory, mounted at a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def room(self) -> int:
        """Bytes that are left."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Leave no more than so many bytes."""
        with (self.folder / FILL).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, self.room - leave))
        assert self.room <= leave

    def empty(self) -> None:
        """Take away what filled it."""
        (self.folder / FILL).unlink(missing_ok=True)


def may_mount() -> bool:
    """Whether this process may mount file systems."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


@contextlib.contextmanager
def mounted(sizes: dict[Path, str]) -> Iterator[dict[Path, Disk]]:
    """A disk of a size (`32m`) at each folder, in the order given, as long as the context lasts."""
    done: list[Path] = []
    try:
        for folder, size in sizes.items():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(folder)], check=True)
            done.append(folder)
        yield {folder: Disk(folder) for folder in done}
    finally:
        for folder in reversed(done):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
