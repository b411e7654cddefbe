"""A bare repository on this disk: reading commits, writing a commit without a checkout, moving refs by comparison.

It never asks the network and runs no hook. What is read goes through one `git cat-file` that is kept for a while, what
is written starts one or two short `git` processes; local calls are not retried, since the same call fails again.
"""

from __future__ import annotations

import asyncio
import tempfile
import time as clock
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import CommandFailed, Conflict, InvalidInput, NotFound
from tidegate.git import command, plumbing, recovery
from tidegate.git.batch import BATCHES, Found, batch_argv
from tidegate.git.files import CommitFiles
from tidegate.git.names import branch_ref, check_object_id, check_ref, revision
from tidegate.git.tree import entries_at, root_of
from tidegate.git.values import Commit, LineOrigin, Signature, Tag, parse_blame, parse_commit, parse_tag

HISTORY_LIMIT = 10_000
EXPORT_TIMEOUT = 600.0
# What git says when a ref is not where the caller thought, or somebody is moving it at this moment.
_MOVED = ("but expected", "reference already exists", "unable to resolve reference", ".lock': File exists")


class Repository:
    """A bare repository in the folder `path`."""

    def __init__(self, path: Path):
        self.path = path

    async def init(self, branch: str = "main") -> None:
        """Create it if it is not there; a half-made one is completed."""
        branch_ref(branch)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            await command.run(plumbing.init_argv(self.path, branch))
        except CommandFailed:
            if not await self.recover():  # a `git init` that was killed leaves a lock which refuses every later one
                raise
            await command.run(plumbing.init_argv(self.path, branch))

    def exists(self) -> bool:
        """Whether a repository is there."""
        return (self.path / "HEAD").is_file() and (self.path / "objects").is_dir()

    async def recover(self) -> list[str]:
        """Remove what a killed git left (locks, half-received objects); the names of what was removed. Call it before
        the first use after a start.
        """
        return await recovery.recover(self.path)

    async def resolve(self, ref: str) -> str | None:
        """The commit at a full ref, a branch's short name, HEAD or an id; None where there is none."""
        found = await self._object(f"{revision(ref)}^{{commit}}")
        return found.id if found else None

    async def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """The refs below a prefix with their commits; an annotated tag stands for the commit behind it."""
        listed = await command.run(plumbing.refs_argv(self.path, prefix))
        found = {}
        for line in listed.stdout.decode("utf-8", "surrogateescape").splitlines():
            name, target, peeled = line.split("\0")
            found[name] = peeled or target
        return found

    async def head(self) -> str | None:
        """The ref that HEAD names, whether it exists or not: the default branch."""
        text = (self.path / "HEAD").read_text("utf-8", "replace").strip()
        return text.removeprefix("ref: ") if text.startswith("ref: refs/") else None

    async def set_head(self, ref: str) -> None:
        """Make a branch the default one."""
        await command.run(command.argv("symbolic-ref", "HEAD", check_ref(ref), git_dir=self.path))

    def files(self, commit: str) -> CommitFiles:
        """The files of a commit (a full id), read in the calling thread. Close it."""
        return CommitFiles(self.path, check_object_id(commit))

    async def changed(self, old: str | None, new: str) -> list[str]:
        """The paths that differ between two commits (a rename counts as both), or all paths of the first one."""
        listed = await command.run(plumbing.changed_argv(self.path, old, new))
        return [name.decode("utf-8", "surrogateescape") for name in listed.stdout.split(b"\0") if name]

    async def commit_count(self, commit: str) -> int:
        """How many commits a commit reaches, itself included."""
        return int((await command.run(plumbing.count_argv(self.path, commit))).text)

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` is `older` or built on it. Of a commit and its parent it costs no process of its own."""
        if older in (newer, *(await self.log(newer)).parents):
            return True
        answer = await command.run(plumbing.ancestor_argv(self.path, older, newer), check=False)
        if answer.exit_code > 1:
            raise NotFound(f"{older[:12]} or {newer[:12]} is not in this repository")
        return answer.exit_code == 0

    async def merge_base(self, one: str, other: str) -> str | None:
        """The commit where two histories parted; None where they have nothing in common."""
        answer = await command.run(plumbing.merge_base_argv(self.path, one, other), check=False)
        if answer.exit_code > 1:
            raise NotFound(f"{one[:12]} or {other[:12]} is not in this repository")
        return answer.text.strip() or None

    async def log(self, commit: str) -> Commit:
        """A commit's own words; NotFound."""
        found = await self._object(check_object_id(commit))
        if found is None or found.type != "commit" or found.data is None:
            raise NotFound(f"no commit {commit} in this repository")
        return parse_commit(commit, found.data)

    async def tag(self, ref: str) -> Tag | None:
        """The annotated tag at a full ref; None where that is no annotated tag, or nothing."""
        found = await self._object(check_ref(ref))
        return None if found is None or found.type != "tag" or found.data is None else parse_tag(found.id, found.data)

    async def _object(self, name: str) -> Found | None:
        def asked() -> Found | None:
            with BATCHES.lent(self.path) as batch:
                return batch.ask([name])[0]

        try:
            return await asyncio.to_thread(asked)
        except NotFound:
            return None

    async def history(self, commit: str, *, since: str | None = None, limit: int = 100) -> list[Commit]:
        """A commit and those before it, newest first, without what `since` reaches; at most HISTORY_LIMIT. Of a commit
        after its only parent it costs no process of its own.
        """
        if since is not None and limit > 0 and (head := await self.log(commit)).parents == (since,):
            return [head]
        listed = await command.run(plumbing.ids_argv(self.path, commit, since, min(limit, HISTORY_LIMIT)))
        if not listed.stdout:
            return []
        objects = await command.run(batch_argv(self.path), stdin=listed.stdout)
        return _parse_batch(objects.stdout)

    async def blame(self, commit: str, path: str, line: int) -> LineOrigin:
        """Which commit a line (from 1) of a file of `commit` was last changed by, and where it stood in that. NotFound
        where there is no such line.
        """
        told = await command.run(plumbing.blame_argv(self.path, commit, path, line), check=False)
        if told.exit_code:
            raise NotFound(f"no line {line} of {path!r} in commit {commit[:12]}")
        return parse_blame(told.stdout, path)

    async def write_commit(
        self,
        parent: str | None,
        files: Mapping[str, bytes | None],
        *,
        author: Signature,
        message: str,
        committer: Signature | None = None,
        time: int | None = None,
    ) -> str:
        """Write a commit on top of `parent` with some files replaced (None: deleted) and return its id; no ref moves.

        A file keeps its mode, a new one is 0644. `time` is in seconds since 1970, now by default. Raises InvalidInput
        where a path is no regular file or leads through a symlink, LimitExceeded past the limits of `plumbing`.
        """
        moment = int(clock.time()) if time is None else time
        entries: dict[str, tuple[str, str]] = {}
        if parent and files:
            entries = await asyncio.to_thread(self._entries_at, parent, files)
        stream = plumbing.import_stream(
            parent,
            author.line(moment),
            (committer or author).line(moment),
            message,
            plumbing.kept_modes(entries, files),
        )
        written = await command.run(plumbing.import_argv(self.path), stdin=stream)
        return check_object_id(written.text.strip())

    def _entries_at(self, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, str]]:
        with BATCHES.lent(self.path) as batch:
            return entries_at(batch, root_of(batch, commit), paths)

    async def update_ref(self, ref: str, new: str | None, old: str | None) -> None:
        """Move a ref from `old` to `new` (None: it is not there). Conflict where it is not at `old`."""
        try:
            await command.run(plumbing.update_ref_argv(self.path, ref, new, old))
        except CommandFailed as error:
            if any(word in error.output for word in _MOVED):
                raise Conflict(f"{ref} is no longer at {old[:12] if old else 'nothing'}") from None
            raise

    async def export(self, commit: str, folder: Path, paths: Sequence[str] | None = None) -> None:
        """Write a commit's files (or those at or below `paths`) into an existing empty folder, without a `.git`.

        Symlinks are written as they are. NotFound where a path is not in the commit.
        """
        with tempfile.TemporaryDirectory(prefix="tidegate-index-") as scratch:
            env = command.environment({"GIT_INDEX_FILE": str(Path(scratch) / "index")})
            argv = plumbing.export_argv(self.path, commit, folder.absolute(), paths)
            try:
                await command.run(argv, env=env, timeout=EXPORT_TIMEOUT)
            except CommandFailed as error:
                if "did not match any file" in error.output:
                    raise NotFound(f"commit {commit[:12]} has not all of {', '.join(paths or ())}") from None
                raise

    async def clone_into(
        self, folder: Path, commit: str, ref: str, *, depth: int = 1, tags: bool = False, url: str | None = None
    ) -> None:
        """A checkout with its own `.git` in an empty folder, as actions/checkout leaves one: on the branch if `ref`
        is one, else detached. `depth` 0 brings all branches and tags. `url` becomes the remote `origin`.
        """
        check_ref(ref)
        if depth < 0:
            raise InvalidInput(f"a depth of {depth} is impossible", remedy="write 0 for the whole history")
        folder.mkdir(parents=True, exist_ok=True)
        await command.run(command.argv("init", "--quiet", "--template=", "--initial-branch=main", "--", str(folder)))
        await command.run(
            plumbing.clone_fetch_argv(self.path, folder, commit, depth, tags=tags), timeout=EXPORT_TIMEOUT
        )
        git_dir = folder / ".git"
        if ref.startswith("refs/heads/"):
            tracking = ref.replace("refs/heads/", "refs/remotes/origin/", 1)
            await command.run(command.argv("update-ref", tracking, commit, git_dir=git_dir))
        elif ref.startswith("refs/tags/"):
            await command.run(command.argv("update-ref", ref, commit, git_dir=git_dir))
        await command.run(plumbing.clone_checkout_argv(folder, commit, ref), timeout=EXPORT_TIMEOUT)
        if url is not None:
            await command.run(command.argv("remote", "add", "--", "origin", url, git_dir=git_dir))

    async def maintain(self) -> None:
        """Pack loose objects where there are many. What no ref reaches goes after two weeks, as git does by default."""
        limits = (
            "gc.auto=2000",
            "gc.autoPackLimit=20",
            "gc.autoDetach=false",
            "pack.threads=1",
            "pack.windowMemory=32m",
        )
        await command.run(
            command.argv("gc", "--auto", "--quiet", git_dir=self.path, config=limits), timeout=EXPORT_TIMEOUT
        )


def _parse_batch(data: bytes) -> list[Commit]:
    commits, position = [], 0
    while position < len(data):
        end = data.index(b"\n", position)
        object_id, _, size = data[position:end].decode("ascii").split()
        start, position = end + 1, end + 1 + int(size) + 1
        commits.append(parse_commit(object_id, data[start : position - 1]))
    return commits
