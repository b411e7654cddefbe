"""COPY and ADD: which files of the context, of a stage or of an image go where. Follows BuildKit's rules. Blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.build.archives import unpack_archive
from tidegate.build.contents import Contents, content_of
from tidegate.build.context import Context, Kind, Node
from tidegate.build.filesystem import Accounts, Content, Filesystem, Inode, folder_inode, owned
from tidegate.build.steps import Copy, NamedFile
from tidegate.oci.layers import EntryKind


@frozen
class Found:
    """Something to copy: its path in its source, and what it is."""

    path: str
    inode: Inode

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Source(Protocol):
    """Where files are copied from."""

    def find(self, source: str) -> list[Found]:
        """What a source of the line names; a folder for the whole. Raises NotFound."""

    def under(self, folder: str) -> Iterator[Found]:
        """Everything below a folder, parents first."""


class ContextSource:
    """The build context: everything in it is root's, with Git's two modes, whatever this machine's umask is."""

    def __init__(self, context: Context, contents: Contents):
        self._context, self._contents = context, contents

    def find(self, source: str) -> list[Found]:
        """What the context has of that name."""
        return [self._found(node) for node in self._context.find(source)]

    def under(self, folder: str) -> Iterator[Found]:
        """Everything below a folder."""
        return (self._found(node) for node in self._context.under(folder))

    def _found(self, node: Node) -> Found:
        if node.kind is Kind.DIRECTORY:
            return Found(node.path, Inode(EntryKind.DIRECTORY, 0o755))
        if node.kind is Kind.SYMLINK:
            return Found(node.path, Inode(EntryKind.SYMLINK, 0o777, target=node.target))
        mode = 0o755 if node.executable else 0o644
        return Found(node.path, Inode(EntryKind.FILE, mode, content=self._contents.of_node(node)))


class StageSource:
    """The files of another stage, or of an image: owners, modes and times come along."""

    def __init__(self, files: Filesystem, name: str):
        self._files, self._name = files, name

    def find(self, source: str) -> list[Found]:
        """What the stage has of that name, a link at its end followed."""
        found = [self._files.resolve(path) for path in self._files.glob(source)]
        if not found or any(path and path not in self._files.nodes for path in found):
            raise NotFound(f"{source} is not in {self._name}")
        return [Found(path, self._files.nodes[path] if path else Inode(EntryKind.DIRECTORY, 0o755)) for path in found]

    def under(self, folder: str) -> Iterator[Found]:
        """Everything below a folder."""
        return (Found(path, self._files.nodes[path]) for path in self._files.under(folder))


def copy_into(
    step: Copy,
    source: Source,
    files: Filesystem,
    accounts: Accounts,
    contents: Contents,
    fetched: Content | None = None,
) -> None:
    """Put what `step` copies into `files`; `fetched` is the content of its URL.

    Raises InvalidInput or NotFound; `files` is then not to be used.
    """
    owner = accounts.owner(step.owner) if step.owner else None
    copier = _Copier(step, files, owner, contents)
    found = [] if fetched is not None else [one for each in step.sources for one in source.find(each)]
    target = files.resolve(step.destination)
    into = step.destination.endswith("/") or files.is_directory(target)
    if len(found) + len(step.files) > 1 and not into:
        raise InvalidInput("several files can only be copied to a directory", remedy="end the destination with /")
    if fetched is not None:
        copier.put(_fetched(step, fetched), f"{target}/{_url_name(step)}".lstrip("/") if into else target)
    for one in found:
        copier.copy(one, source, target, into=into)
    for file in step.files:
        copier.put(_heredoc(file), f"{target}/{file.name}".lstrip("/") if into else target)


def _heredoc(file: NamedFile) -> Found:
    return Found(file.name, Inode(EntryKind.FILE, 0o644, content=content_of(file.content)))


def _fetched(step: Copy, content: Content) -> Found:
    return Found(_url_name(step), Inode(EntryKind.FILE, 0o600, content=content))


def _url_name(step: Copy) -> str:
    name = step.sources[0].partition("?")[0].partition("#")[0].rpartition("/")[2]
    if not name or "://" not in step.sources[0].rpartition(name)[0]:
        message = f"{step.sources[0]} has no file's name at its end"
        raise InvalidInput(message, remedy="let the destination be the file's path")
    return name


_FOLDER = folder_inode()


class _Copier:
    """Puts things in place; a later one replaces an earlier one."""

    def __init__(self, step: Copy, files: Filesystem, owner: tuple[int, int] | None, contents: Contents):
        self._step, self._files, self._owner, self._contents = step, files, owner, contents

    def copy(self, one: Found, source: Source, target: str, *, into: bool) -> None:
        if one.inode.is_directory:
            self.folder(target)
            prefix = len(one.path)
            for inner in source.under(one.path):
                self.put(inner, f"{target}/{inner.path[prefix:].lstrip('/')}".lstrip("/"))
            return
        if self._step.adds and one.inode.content is not None:
            members = unpack_archive(one.inode.content, self._contents, one.path)
            if members is not None:
                self.folder(target)
                unpacked = _Copier(replace(self._step, mode=None), self._files, None, self._contents)
                for path, inode in members:  # which keep the owners and modes that the archive has
                    unpacked.put(Found(path, inode), f"{target}/{path}".lstrip("/"))
                return
        self.put(one, f"{target}/{one.name}".lstrip("/") if into else target)

    def folder(self, path: str, like: Inode = _FOLDER) -> None:
        """A directory and its parents, as far as they are missing; a new top one is root's, or of --chown."""
        uid, gid = self._owner or (0, 0)
        if self._files.is_directory(path):
            return
        self._files.make_directories(path.rpartition("/")[0], 0o755, uid, gid)
        if path in self._files.nodes:
            raise InvalidInput(f"a directory can't replace the file /{path}")
        self._files.put(path, self._given(like))

    def _inner_folder(self, path: str, like: Inode) -> None:
        """A directory below what is copied: one that is there gets owner and mode too."""
        there = self._files.nodes.get(path)
        if there is None or not there.is_directory:
            self.folder(path, like)
        elif there.row()[:4] != (given := self._given(like)).row()[:4]:
            self._files.put(path, given)

    def put(self, one: Found, path: str) -> None:
        folder, _, name = path.rpartition("/")
        if one.inode.is_directory:
            self._inner_folder(self._files.resolve(path), one.inode)
            return
        uid, gid = self._owner or (0, 0)
        resolved = self._files.resolve(folder)
        self._files.make_directories(resolved, 0o755, uid, gid)
        target = f"{resolved}/{name}".lstrip("/")
        if not target or self._files.is_directory(target):
            raise InvalidInput(f"{one.path} can't replace the directory /{target}")
        self._files.put(target, self._given(one.inode))

    def _given(self, inode: Inode) -> Inode:
        """With the line's owner and mode."""
        if self._owner is not None:
            inode = owned(inode, *self._owner)
        if self._step.mode is not None and inode.kind is not EntryKind.SYMLINK:
            inode = replace(inode, mode=self._step.mode)
        return inode
