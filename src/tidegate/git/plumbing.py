"""The command lines of a repository on disk, and the stream that writes a commit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.base.files import FILE_LIMIT
from tidegate.git.command import argv
from tidegate.git.names import ZERO, check_object_id, check_path, check_ref

CHANGES_LIMIT = 10_000
BYTES_LIMIT = 256 * 1024 * 1024
NEW_FILE_MODE = "100644"
_SCRATCH = "refs/tidegate/commit-being-written"


def init_argv(path: Path, branch: str) -> list[str]:
    """Create a bare repository without templates, so without sample hooks. Safe to repeat."""
    return argv("init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", "--", str(path))


def refs_argv(git_dir: Path, prefix: str) -> list[str]:
    """Every ref below a prefix; for an annotated tag also the commit behind it."""
    if not f"{prefix}/".startswith("refs/"):
        raise InvalidInput(f"{prefix!r} is no prefix of refs")
    return argv("for-each-ref", "--format=%(refname)%00%(objectname)%00%(*objectname)", "--", prefix, git_dir=git_dir)


def changed_argv(git_dir: Path, old: str | None, new: str) -> list[str]:
    """The paths that differ between two commits, renames as two paths; all paths where there is no old one."""
    new = check_object_id(new)
    if old is None:
        return argv("ls-tree", "-r", "-z", "--name-only", "--full-tree", new, git_dir=git_dir)
    old = check_object_id(old)
    return argv("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new, "--", git_dir=git_dir)


def ids_argv(git_dir: Path, commit: str, since: str | None, limit: int) -> list[str]:
    """Ids of a commit and those before it, newest first, without what `since` reaches."""
    excluded = [f"^{check_object_id(since)}"] if since else []
    return argv("rev-list", f"--max-count={limit}", check_object_id(commit), *excluded, "--", git_dir=git_dir)


def count_argv(git_dir: Path, commit: str) -> list[str]:
    """How many commits a commit reaches."""
    return argv("rev-list", "--count", check_object_id(commit), "--", git_dir=git_dir)


def ancestor_argv(git_dir: Path, older: str, newer: str) -> list[str]:
    """Exit 0 where `newer` reaches `older`, 1 where it does not."""
    return argv("merge-base", "--is-ancestor", check_object_id(older), check_object_id(newer), git_dir=git_dir)


def merge_base_argv(git_dir: Path, one: str, other: str) -> list[str]:
    """Print the best common ancestor of two commits; exit 1 where they have none."""
    return argv("merge-base", check_object_id(one), check_object_id(other), git_dir=git_dir)


def blame_argv(git_dir: Path, commit: str, path: str, line: int) -> list[str]:
    """Which commit a line (from 1) of a file has come from."""
    span, name = f"-L{int(line)},{int(line)}", check_path(path)
    return argv(
        "blame", "--porcelain", span, check_object_id(commit), "--", name,
        git_dir=git_dir, config=["core.quotePath=false"],
    )  # fmt: skip


def update_ref_argv(git_dir: Path, ref: str, new: str | None, old: str | None) -> list[str]:
    """Move a ref only if it is at `old` (None: only if it is not there); `new` None deletes it."""
    expected = check_object_id(old) if old else ZERO
    change = ["-d", check_ref(ref), expected] if new is None else [check_ref(ref), check_object_id(new), expected]
    return argv("update-ref", "--no-deref", *change, git_dir=git_dir)


def import_argv(git_dir: Path) -> list[str]:
    """Write the objects of a stream."""
    return argv("fast-import", "--quiet", "--done", "--date-format=raw", git_dir=git_dir)


def import_stream(
    parent: str | None, author: str, committer: str, message: str, changes: Sequence[tuple[str, str, bytes | None]]
) -> bytes:
    """One commit for git fast-import: changes are (mode, path, content or None to delete).

    The branch that fast-import needs is taken back at the end of the stream, before it would be written as a ref.
    Raises LimitExceeded past CHANGES_LIMIT, FILE_LIMIT or BYTES_LIMIT, InvalidInput for a path or a NUL in a message.
    """
    _check_size(changes)
    if "\0" in message:
        raise InvalidInput("a commit message may not hold a NUL character")
    parts = [f"commit {_SCRATCH}\nmark :1\nauthor {author}\ncommitter {committer}\n".encode()]
    parts.append(_data(message.encode("utf-8", "surrogateescape")))
    if parent:
        parts.append(f"from {check_object_id(parent)}\n".encode())
    for mode, path, content in changes:
        name = _quoted(check_path(path))
        if content is None:
            parts.append(b"D " + name + b"\n")
        else:
            parts += [f"M {mode} inline ".encode(), name, b"\n", _data(content)]
    parts.append(f"\nget-mark :1\nreset {_SCRATCH}\nfrom {ZERO}\n\ndone\n".encode())
    return b"".join(parts)


def export_argv(git_dir: Path, commit: str, folder: Path, paths: Sequence[str] | None) -> list[str]:
    """Write a commit's files into a folder, all or those at or below some paths (GIT_INDEX_FILE must be set)."""
    commit = check_object_id(commit)
    if paths is None:
        return argv("read-tree", "--reset", "-u", commit, git_dir=git_dir, work_tree=folder)
    chosen = [check_path(path) for path in paths]
    return argv("checkout", "--quiet", "--force", commit, "--", *chosen, git_dir=git_dir, work_tree=folder)


def clone_fetch_argv(git_dir: Path, folder: Path, commit: str, depth: int, *, tags: bool = False) -> list[str]:
    """Bring a commit from a repository on this disk into a checkout: `depth` commits of it, or with 0 everything; all
    `tags` if asked.
    """
    wanted = [check_object_id(commit)]
    if depth == 0:
        wanted.append("+refs/heads/*:refs/remotes/origin/*")
    if tags or depth == 0:
        wanted.append("+refs/tags/*:refs/tags/*")
    limits = [f"--depth={depth}"] if depth else []
    return argv(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *limits, "--end-of-options",
        str(git_dir.absolute()), *wanted, git_dir=folder / ".git", protocols=("file",),
    )  # fmt: skip


def clone_checkout_argv(folder: Path, commit: str, ref: str) -> list[str]:
    """Check the commit out: on its branch where `ref` is one, else detached."""
    where = ["-B", ref.removeprefix("refs/heads/")] if ref.startswith("refs/heads/") else ["--detach"]
    return argv(
        "checkout",
        "--quiet",
        "--force",
        *where,
        check_object_id(commit),
        "--",
        git_dir=folder / ".git",
        work_tree=folder,
    )


def kept_modes(
    entries: Mapping[str, tuple[str, str]], files: Mapping[str, bytes | None]
) -> list[tuple[str, str, bytes | None]]:
    """The changes with the mode that each file has already; `entries` are (mode, type) by path.

    Raises InvalidInput where a path is a symlink, a folder or a submodule, or leads through
    something else than folders.
    """
    changes = []
    for path, content in sorted(files.items()):
        mode, kind = entries.get(path, (NEW_FILE_MODE, "blob"))
        if kind != "blob" or not mode.startswith("100"):
            raise InvalidInput(f"{path} is not a regular file in this commit, so it is not overwritten")
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if entries.get(above, ("", "tree"))[1] != "tree":
                raise InvalidInput(f"{path} would lie below {above}, which is no folder in this commit")
        changes.append((mode, path, content))
    return changes


def _check_size(changes: Sequence[tuple[str, str, bytes | None]]) -> None:
    if len(changes) > CHANGES_LIMIT:
        raise LimitExceeded(f"a commit may change at most {CHANGES_LIMIT} files")
    sizes = [(len(content), path) for _, path, content in changes if content is not None]
    for size, path in sizes:
        if size > FILE_LIMIT:
            raise LimitExceeded(f"{path} is larger than {FILE_LIMIT} bytes")
    if sum(size for size, _ in sizes) > BYTES_LIMIT:
        raise LimitExceeded(f"a commit may bring at most {BYTES_LIMIT} bytes")


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content + b"\n"


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + escaped.encode("utf-8", "surrogateescape") + b'"'
