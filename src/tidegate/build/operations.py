"""Carries out the commands on files that a RUN has, on an image's files as values. Blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.build.account_files import add_group, add_to_groups, add_user
from tidegate.build.actions import (
    Action,
    AddGroup,
    AddToGroups,
    AddUser,
    ChangeMode,
    ChangeOwner,
    CopyFiles,
    EnterFolder,
    InstallFiles,
    MakeFolders,
    MakeLink,
    MoveFiles,
    Remove,
    Touch,
    WriteFile,
)
from tidegate.build.filesystem import Inode, owned
from tidegate.build.modes import UMASK, changed_mode
from tidegate.build.native import NotNative
from tidegate.build.world import World
from tidegate.oci.layers import EntryKind

APPEND_LIMIT = 16 * 1024 * 1024


def perform(action: Action, world: World) -> None:
    """Change the files of `world` as `action` says. Raises NotNative where the command would not succeed, or not so."""
    try:
        _ACTIONS[type(action)](action, world)
    except InvalidInput as error:
        raise NotNative(str(error)) from error


def enter_folder(action: EnterFolder, world: World) -> None:
    """`cd`."""
    (path,) = world.expand([action.path])
    if not world.files.is_directory(world.followed(path)):
        raise NotNative(f"there is no directory /{path}")


def make_folders(action: MakeFolders, world: World) -> None:
    """`mkdir`."""
    for path in world.expand(action.paths):
        place = world.followed(path) if action.parents else world.place(path.rstrip("/"))
        there = world.at(place)
        if there is not None and not (there.is_directory and action.parents):
            raise NotNative(f"/{place} is there already")
        if there is not None:
            continue
        if action.parents:
            _make_parents(place, world)
        _make_folder(place, world)
        if action.mode:
            made = world.existing(place)
            world.change(place, replace(made, mode=changed_mode(action.mode, made.mode, is_directory=True)))


def _make_parents(place: str, world: World) -> None:
    parts = place.split("/")
    for depth in range(1, len(parts)):
        if world.at("/".join(parts[:depth])) is None:
            _make_folder("/".join(parts[:depth]), world)


def _make_folder(place: str, world: World) -> None:
    if not world.files.is_directory(place.rpartition("/")[0]):
        raise NotNative(f"there is no directory /{place.rpartition('/')[0]}")
    world.put(place, world.new(place, EntryKind.DIRECTORY, 0o777 & ~UMASK))


def remove(action: Remove, world: World) -> None:
    """`rm`, `rmdir`."""
    for path in world.expand(action.paths):
        place = world.place(path.rstrip("/"))
        there = world.at(place)
        if path.endswith("/") and there is not None and not there.is_directory:
            raise NotNative(f"/{place} is no directory")
        if there is None:
            if not action.force:
                raise NotNative(f"there is no /{place}")
            continue
        if there.is_directory and not action.recursive and not action.empty_folders:
            raise NotNative(f"/{place} is a directory")
        if action.empty_folders and (not there.is_directory or world.files.under(place)):
            raise NotNative(f"/{place} is no empty directory")
        world.remove(place)


def make_link(action: MakeLink, world: World) -> None:
    """`ln -s`."""
    (path,) = world.expand([action.path])
    if world.files.is_directory(world.followed(path)) and (action.follow or _is_folder(path, world)):
        path = f"{world.followed(path)}/{action.target.rstrip('/').rpartition('/')[2]}"
    place = world.place(path.rstrip("/"))
    there = world.at(place)
    if there is not None and (there.is_directory or not action.force):
        raise NotNative(f"/{place} is there already")
    world.put(place, world.new(place, EntryKind.SYMLINK, 0o777, target=action.target))


def _is_folder(path: str, world: World) -> bool:
    there = world.at(world.place(path.rstrip("/")))
    return there is not None and there.is_directory


def _targets(sources: list[str], target: str, into: bool | None, world: World) -> list[tuple[str, str]]:
    """Each source with the place that it goes to."""
    folder = world.followed(target)
    is_folder = world.files.is_directory(folder) and into is not False
    if not is_folder and (into or len(sources) > 1 or target.endswith("/")):
        raise NotNative(f"there is no directory /{folder}")
    if not is_folder:
        return [(sources[0], world.place(target))]
    return [(source, _inside(folder, source.rstrip("/").rpartition("/")[2])) for source in sources]


def _inside(folder: str, name: str) -> str:
    return folder if name in (".", "..") else f"{folder}/{name}".lstrip("/")


def copy_files(action: CopyFiles, world: World) -> None:
    """`cp`."""
    (target,) = world.expand([action.target])
    for source, place in _targets(world.expand(action.sources), target, action.into, world):
        origin = world.followed(source) if action.follow or source.endswith((".", "/")) else world.place(source)
        there = world.existing(origin)
        if there.is_directory and not action.recursive:
            raise NotNative(f"cp leaves out the directory /{origin}")
        if place == origin or place.startswith(f"{origin}/"):
            raise NotNative("cp of a directory into itself")
        _copy(origin, place, action, world)


def _copy(origin: str, place: str, action: CopyFiles, world: World) -> None:
    below = world.files.under(origin) if world.existing(origin).is_directory else []
    for path in (origin, *below):
        _copy_one(world.existing(path), f"{place}{path[len(origin) :]}".lstrip("/"), action, world)


def _copy_one(inode: Inode, place: str, action: CopyFiles, world: World) -> None:
    there = world.at(place)
    if inode.is_directory:
        _copy_folder(inode, place, action, world)
        return
    if there is not None and action.keep:
        return
    if there is not None and there.is_directory:
        raise NotNative(f"/{place} is a directory")
    if inode.kind is EntryKind.SYMLINK or action.preserve:
        made = world.new(place, inode.kind, inode.mode, inode.content, inode.target)
        world.put(place, _preserved(made, inode, action, world))
    elif there is None:
        world.put(place, world.new(place, EntryKind.FILE, inode.mode & 0o777 & ~UMASK, inode.content))
    else:
        assert inode.content is not None
        world.write(world.followed(place), inode.content)


def _copy_folder(inode: Inode, place: str, action: CopyFiles, world: World) -> None:
    there = world.at(place)
    if there is not None and not there.is_directory:
        raise NotNative(f"/{place} is no directory")
    if there is None:
        made = world.new(place, EntryKind.DIRECTORY, inode.mode & 0o777 & ~UMASK)
        world.put(place, _preserved(made, inode, action, world))
    elif action.preserve and place:
        world.change(place, _preserved(there, inode, action, world))


def _preserved(made: Inode, like: Inode, action: CopyFiles, world: World) -> Inode:
    if not action.preserve:
        return made
    if world.uid and (like.uid, like.gid) != (world.uid, world.gid):
        raise NotNative("only root can keep another's ownership")
    return replace(made, mode=like.mode, uid=like.uid, gid=like.gid, mtime=like.mtime)


def install_files(action: InstallFiles, world: World) -> None:
    """`install` of files."""
    (target,) = world.expand([action.target])
    if action.parents and action.into is None:
        parent = world.followed(target.rpartition("/")[0])
        if parent and world.at(parent) is None:
            _make_parents(parent, world)
            _make_folder(parent, world)
    accounts = world.accounts()
    for source, place in _targets(world.expand(action.sources), target, action.into, world):
        there = world.existing(world.followed(source))
        if there.kind is not EntryKind.FILE:
            raise NotNative(f"/{source} is no file")
        made = world.new(place, EntryKind.FILE, changed_mode(action.mode, 0, is_directory=False), there.content)
        if action.owner:
            made = replace(made, uid=accounts.owner(action.owner)[0])
        if action.group:
            made = replace(made, gid=accounts.group(action.group))
        if world.uid and made.uid != world.uid:
            raise NotNative("only root can give files away")
        world.put(place, made)


def move_files(action: MoveFiles, world: World) -> None:
    """`mv`."""
    (target,) = world.expand([action.target])
    for source, place in _targets(world.expand(action.sources), target, action.into, world):
        origin = world.place(source.rstrip("/"))
        inode, there = world.existing(origin), world.at(place)
        if place == origin or place.startswith(f"{origin}/") or not origin:
            raise NotNative("mv of a directory into itself")
        if there is not None and action.keep:
            continue
        if there is not None and (there.is_directory != inode.is_directory or world.files.under(place)):
            raise NotNative(f"/{place} is in the way")
        moved = {path: world.files.nodes[path] for path in _each(origin, world, recursive=True)}
        world.remove(origin)
        for path, one in moved.items():
            world.put(f"{place}{path[len(origin) :]}", one)


def touch(action: Touch, world: World) -> None:
    """`touch`."""
    for path in world.expand(action.paths):
        place = world.followed(path)
        if world.at(place) is None and action.create:
            world.write(place, b"")


def _each(place: str, world: World, *, recursive: bool) -> list[str]:
    below = world.files.under(place) if recursive and world.files.is_directory(place) else []
    return [place, *below]


def change_mode(action: ChangeMode, world: World) -> None:
    """`chmod`: of a link it is what it leads to, and below a folder links are left alone."""
    for path in world.expand(action.paths):
        place = world.followed(path)
        world.existing(place)
        for each in _each(place, world, recursive=action.recursive):
            inode = world.existing(each)
            if inode.kind is not EntryKind.SYMLINK:
                mode = changed_mode(action.mode, inode.mode, is_directory=inode.is_directory)
                world.change(each, replace(inode, mode=mode))


def change_owner(action: ChangeOwner, world: World) -> None:
    """`chown`, `chgrp`."""
    if world.uid:
        raise NotNative("only root can give files away")
    accounts = world.accounts()
    uid = accounts.owner(action.owner)[0] if action.owner else None
    gid = accounts.group(action.group) if action.group else None
    if action.login_group:
        gid = accounts.owner(action.owner)[1]
    for path in world.expand(action.paths):
        place = world.followed(path) if action.follow or path.endswith("/") else world.place(path)
        for each in _each(place, world, recursive=action.recursive):
            inode = world.existing(each)
            new = owned(inode, inode.uid if uid is None else uid, inode.gid if gid is None else gid)
            world.change(each, new)


def write_file(action: WriteFile, world: World) -> None:
    """What `echo`, `printf` and `cat` send to a file."""
    (path,) = world.expand([action.path])
    place = world.followed(path)
    copies = [world.followed(one) for one in world.expand(action.copies)]
    if place in copies:
        raise NotNative(f"/{place} can't be sent to itself")
    data = b"".join(world.read(one, APPEND_LIMIT) for one in copies)
    before = world.read(place, APPEND_LIMIT) if action.append and world.at(place) is not None else b""
    world.write(place, before + data + action.content)


_ACTIONS: dict[type, Callable[[Any, World], None]] = {
    EnterFolder: enter_folder,
    MakeFolders: make_folders,
    Remove: remove,
    MakeLink: make_link,
    CopyFiles: copy_files,
    InstallFiles: install_files,
    MoveFiles: move_files,
    Touch: touch,
    ChangeMode: change_mode,
    ChangeOwner: change_owner,
    WriteFile: write_file,
    AddGroup: add_group,
    AddUser: add_user,
    AddToGroups: add_to_groups,
}
