"""What the lines of a stage come to: values that a plan lists, `--explain` shows, and a builder carries out. Pure.

A RUN keeps the command that it is, whoever takes it: where an action of ours can't be had after all (a package whose
scripts must run, a wheel that does not exist), the same line can still be run in a sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.build.actions import Action


@frozen
class Origin:
    """Where a FROM or a `--from` leads: to a stage of the file by its number, else to an image by its name."""

    stage: int | None = None
    image: str = ""


@frozen
class Mount:
    """A `RUN --mount`: its type (`bind`, `cache`, `secret`, `ssh`, `tmpfs`) and its options, variables filled in.

    A bind mount's `origin` is None where it is the build context.
    """

    type: str
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    origin: Origin | None = None

    @property
    def target(self) -> str:
        """Where it is mounted, as written; empty for a secret without a place of its own."""
        return next((self.options[name] for name in ("target", "dst", "destination") if name in self.options), "")

    @property
    def source(self) -> str:
        """What of its origin is mounted, as written."""
        return next((self.options[name] for name in ("source", "src") if name in self.options), "")


@frozen
class Command:
    """What a RUN runs, complete: a sandbox needs no more than this and the stage's files.

    `argv` has the shell in front; `environment` is `NAME=value`, with the build arguments that a command sees; `user`
    is as USER has it (empty for root); `network` is `default`, `none` or `host`.
    """

    argv: tuple[str, ...]
    folder: str = "/"
    user: str = ""
    environment: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    network: str = "default"


@frozen
class NamedFile:
    """A file whose content stands in the Dockerfile, after `<<`."""

    name: str
    content: bytes


@frozen
class Copy:
    """Files that come into the image. `destination` is absolute; a final slash says "a directory".

    `origin` is None for the build context. `files` are heredocs, which come after the sources. `adds` says that it is
    an ADD, which unpacks local archives. `checksum` is what the content of an ADD's URL must have.
    """

    line: int
    text: str
    sources: tuple[str, ...]
    destination: str
    owner: str = ""
    mode: int | None = None
    adds: bool = False
    origin: Origin | None = None
    files: tuple[NamedFile, ...] = ()
    checksum: str = ""


@frozen
class Run:
    """A RUN whose every command is understood: what it does to the files, in order."""

    line: int
    text: str
    actions: tuple[Action, ...]
    command: Command


@frozen
class MakeDirectory:
    """A directory that is to be there, with its parents; `owner` is the user it belongs to."""

    line: int
    text: str
    path: str
    owner: str = ""


@frozen
class Configure:
    """A line that changes the configuration alone; it stands in the history."""

    line: int
    text: str


@frozen
class NeedsShell:
    """A RUN that must truly run, in a sandbox of the image's own programs; `why` says what is not understood."""

    line: int
    text: str
    why: str
    command: Command


Step = Copy | Run | MakeDirectory | Configure | NeedsShell
