"""What the commands of a RUN come to: changes of the files of an image, as values. Pure.

Paths are absolute; one with a pattern stands for the files that match it when the action is carried out.
"""

from __future__ import annotations

from tidegate.base.frozen import frozen
from tidegate.build.pip import PipInstall
from tidegate.build.shell import Word

Paths = tuple[Word, ...]


@frozen
class EnterFolder:
    """`cd`: nothing changes, but the folder must be there."""

    path: Word


@frozen
class MakeFolders:
    """`mkdir`."""

    paths: Paths
    parents: bool = False
    mode: str = ""


@frozen
class Remove:
    """`rm` and `rmdir`."""

    paths: Paths
    recursive: bool = False
    force: bool = False
    empty_folders: bool = False


@frozen
class MakeLink:
    """`ln -s`; `target` is the link's text as written."""

    target: str
    path: Word
    force: bool = False
    follow: bool = True


@frozen
class CopyFiles:
    """`cp`; `preserve` keeps owner and mode, `follow` is for links that are named."""

    sources: Paths
    target: Word
    recursive: bool = False
    preserve: bool = False
    follow: bool = True
    into: bool | None = None
    keep: bool = False


@frozen
class InstallFiles:
    """`install` of files: copies with a mode and an owner."""

    sources: Paths
    target: Word
    mode: str = "755"
    owner: str = ""
    group: str = ""
    parents: bool = False
    into: bool | None = None


@frozen
class MoveFiles:
    """`mv`."""

    sources: Paths
    target: Word
    into: bool | None = None
    keep: bool = False


@frozen
class Touch:
    """`touch`: files that are to be there."""

    paths: Paths
    create: bool = True


@frozen
class ChangeMode:
    """`chmod`; `mode` as written."""

    mode: str
    paths: Paths
    recursive: bool = False


@frozen
class ChangeOwner:
    """`chown` and `chgrp`; an empty `owner` or `group` stays what it is; `user:` has the user's own group."""

    owner: str
    group: str
    paths: Paths
    recursive: bool = False
    follow: bool = True
    login_group: bool = False


@frozen
class WriteFile:
    """What a command says, sent to a file. `copies` are files whose contents come first (`cat`)."""

    path: Word
    content: bytes = b""
    append: bool = False
    copies: Paths = ()


@frozen
class AddGroup:
    """`groupadd`, `addgroup`."""

    name: str
    gid: int | None = None
    system: bool = False
    lenient: bool = False
    busybox: bool = False


@frozen
class AddUser:
    """`useradd`, busybox's `adduser`; what is None or empty is what the program takes of itself."""

    name: str
    uid: int | None = None
    group: str = ""
    groups: tuple[str, ...] = ()
    system: bool = False
    home: str = ""
    create_home: bool | None = None
    shell: str = ""
    comment: str = ""
    own_group: bool | None = None
    duplicate: bool = False
    busybox: bool = False


@frozen
class AddToGroups:
    """`usermod -aG`, `adduser USER GROUP`."""

    name: str
    groups: tuple[str, ...]


@frozen
class MakeEnvironment:
    """`python -m venv`; `program` and `written` are the interpreter and the folder as the line has them."""

    path: str
    program: str
    written: str
    system: bool = False
    bare: bool = False
    prompt: str = ""


@frozen
class InstallWheels:
    """`pip install`, `uv pip install`; `folder` is what relative paths are relative to."""

    folder: str
    install: PipInstall


@frozen
class InstallPackages:
    """`apt-get install`: Debian packages that are unpacked."""

    names: tuple[str, ...]
    recommends: bool = True


Action = (
    EnterFolder
    | MakeFolders
    | Remove
    | MakeLink
    | CopyFiles
    | InstallFiles
    | MoveFiles
    | Touch
    | ChangeMode
    | ChangeOwner
    | WriteFile
    | AddGroup
    | AddUser
    | AddToGroups
    | MakeEnvironment
    | InstallWheels
    | InstallPackages
)
