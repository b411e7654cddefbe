"""The files of an image as a command sees them: who it is, what it may change, what a path leads to. Blocks.

What a command could not do in the image is no result: NotNative says so, and the line is run, or fails with that word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidegate.base.errors import InvalidInput
from tidegate.build.contents import Contents, content_of
from tidegate.build.filesystem import Accounts, Content, Filesystem, Inode
from tidegate.build.modes import UMASK
from tidegate.build.native import NotNative
from tidegate.build.shell import Word
from tidegate.oci.layers import EntryKind

# What is mounted over the image while it is built: what a command changes there is in no layer.
_MOUNTED = ("dev", "proc", "sys", "etc/hosts", "etc/resolv.conf", "etc/hostname")


class World:
    """Files, and the user who changes them."""

    def __init__(self, files: Filesystem, contents: Contents, user: str, environment: Iterable[str] = ()):
        self.files, self.contents, self._user = files, contents, user
        self._environment = dict(entry.partition("=")[::2] for entry in environment)
        try:
            self.uid, self.gid = self.accounts().owner(user) if user else (0, 0)
        except InvalidInput as error:
            raise NotNative(str(error)) from error

    def accounts(self) -> Accounts:
        """Users and groups as they are now."""
        return self.contents.accounts(self.files)

    def home(self) -> str:
        """The user's home: HOME where that is set, else what /etc/passwd says. Raises NotNative where nobody says."""
        if "HOME" in self._environment:
            return self._environment["HOME"]
        if not self.uid:
            return "/root"
        rows = (line.split(":") for line in self.contents.text(self.files, "etc/passwd").splitlines())
        home = next((row[5] for row in rows if len(row) > 5 and row[2] == str(self.uid)), "")
        if not home.startswith("/") or self.at(self.followed(home.lstrip("/"))) is None:
            raise NotNative(f"the user {self._user} has no home")
        return home

    def program(self, name: str) -> str:
        """Where a program is, as PATH finds it. Raises NotNative where it is not in the image."""
        folders = [""] if "/" in name else self._environment.get("PATH", "").split(":")
        for folder in folders:
            path = f"{folder}/{name}" if folder else name
            if path.startswith("/") and self.at(self.followed(path.lstrip("/"))) is not None:
                return path
        raise NotNative(f"the image has no {name}")

    def expand(self, words: Iterable[Word]) -> list[str]:
        """Paths as written; a pattern gives what matches it, else itself, as in sh. None begins with a slash."""
        paths: list[str] = []
        for word in words:
            found = sorted(self._matching(word.pattern)) if word.pattern else []
            paths += found or [word.text]
        return [path.lstrip("/") + ("/" if path.endswith("/") and path.strip("/") else "") for path in paths]

    def _matching(self, pattern: str) -> list[str]:
        """As sh: a name that begins with a dot needs a dot in the pattern."""
        last = pattern.rstrip("/").rpartition("/")[2]
        found = self.files.glob(pattern)
        return [path for path in found if last.startswith((".", "\\.")) or not path.rpartition("/")[2].startswith(".")]

    def place(self, path: str) -> str:
        """Where `path` is, links resolved but for the last part (which a final slash resolves too)."""
        try:
            found = self.files.resolve(path, last=path.endswith(("/", "/.", "/..")))
        except InvalidInput as error:
            raise NotNative(str(error)) from error
        if any(found == mounted or found.startswith(f"{mounted}/") for mounted in _MOUNTED):
            raise NotNative(f"/{found} is mounted while a command runs, and belongs to no layer")
        return found

    def followed(self, path: str) -> str:
        """Where `path` leads."""
        return self.place(f"{path.rstrip('/')}/.") if path.strip("/") else ""

    def at(self, place: str) -> Inode | None:
        """What is at a place; the root is a directory."""
        return self.files.nodes.get(place) if place else Inode(EntryKind.DIRECTORY, 0o755)

    def existing(self, place: str) -> Inode:
        """What is at a place. Raises NotNative where nothing is."""
        found = self.at(place)
        if found is None:
            raise NotNative(f"there is no /{place}, as far as is known without running a program")
        return found

    def put(self, place: str, inode: Inode) -> None:
        """Create or replace what is at a place whose directory is there."""
        folder = place.rpartition("/")[0]
        if not place or not self.files.is_directory(folder):
            raise NotNative(f"there is no directory /{folder}")
        self.check_may_write(folder, self.at(place))
        self.files.put(place, inode)

    def new(self, place: str, kind: EntryKind, mode: int, content: Content | None = None, target: str = "") -> Inode:
        """A new thing of this user's at a place, as its directory's set-group-ID bit has it."""
        parent = self.existing(place.rpartition("/")[0])
        gid = parent.gid if parent.mode & 0o2000 else self.gid
        if kind is EntryKind.DIRECTORY:
            mode |= parent.mode & 0o2000
        return Inode(kind, mode, self.uid, gid, content, target)

    def write(self, place: str, data: bytes | Content) -> None:
        """Write a file; one that is there keeps its owner and mode."""
        content = content_of(data) if isinstance(data, bytes) else data
        there = self.at(place)
        if there is None:
            self.put(place, self.new(place, EntryKind.FILE, 0o666 & ~UMASK, content))
        elif there.kind is not EntryKind.FILE:
            raise NotNative(f"/{place} is no file")
        else:
            self.check_owns(place, there, 0o200)
            self.files.put(place, replace(there, content=content, mtime=None))

    def read(self, place: str, limit: int) -> bytes:
        """A file's bytes."""
        there = self.existing(place)
        if there.content is None:
            raise NotNative(f"/{place} is no file")
        return self.contents.read(there.content, limit)

    def remove(self, place: str) -> None:
        """Take away what is at a place, and all below it."""
        if not place:
            raise NotNative("the root can't be removed")
        self.check_may_write(place.rpartition("/")[0], self.at(place))
        for path in (place, *self.files.under(place)) if self.uid and self.files.is_directory(place) else ():
            if self.files.is_directory(path):
                self.check_may_write(path)
        self.files.remove(place)

    def change(self, place: str, inode: Inode) -> None:
        """Change what an inode says of itself."""
        self.check_owns(place, self.existing(place), 0)
        if place:
            self.files.nodes[place] = inode

    def check_may_write(self, folder: str, replaced: Inode | None = None) -> None:
        """Raise NotNative where the user may not make something in a directory, or take away what is `replaced`."""
        there = self.at(folder)
        if not self.uid:
            return
        allowed = there is not None and _may_write(there, self.uid, self.gid)
        if there is not None and there.mode & 0o1000 and replaced is not None:
            allowed = allowed and self.uid in (there.uid, replaced.uid)
        if not allowed:
            raise NotNative(f"the user {self.uid} may not write to /{folder}")

    def check_owns(self, place: str, inode: Inode, needed: int) -> None:
        """Raise NotNative where the user does not own what is to be changed."""
        if self.uid and (inode.uid != self.uid or inode.mode & needed != needed):
            raise NotNative(f"the user {self.uid} may not change /{place}")


def _may_write(folder: Inode, uid: int, gid: int) -> bool:
    if folder.uid == uid:
        return folder.mode & 0o300 == 0o300
    if folder.gid == gid:
        return folder.mode & 0o030 == 0o030
    return folder.mode & 0o003 == 0o003
