"""Repositories with actions and workflows on a Git host that is not Tidegate's."""

from __future__ import annotations

from pathlib import Path

from git_host import GitHost


def publish(host: GitHost, repository: str, files: dict[str, str], *refs: str) -> str:
    """A commit with these files on the main branch of a repository of the host, and on further refs; its id."""
    bare = host.folder / f"{repository}.git"
    work = host.folder / f"{repository}.work"
    if not bare.exists():
        host.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=None)
        host.git("init", "--quiet", "--initial-branch=main", str(work), cwd=None)
    for name, text in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    host.git("add", "--all", cwd=work)
    host.git("commit", "--quiet", "--allow-empty", "--message", "Publish", cwd=work)
    for ref in ("refs/heads/main", *refs):
        host.git("push", "--quiet", "--force", str(bare), f"HEAD:{ref}", cwd=work)
    return host.git("rev-parse", "HEAD", cwd=work)


def copy_to(host: GitHost, repository: str, folder: Path) -> None:
    """A bare copy of a repository of the host."""
    host.git("clone", "--quiet", "--bare", str(host.folder / f"{repository}.git"), str(folder), cwd=None)
