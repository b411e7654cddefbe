"""What git hands back, as values. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_TYPES = {"40000": "tree", "160000": "commit"}
LATEST = 32_503_680_000
"""The year 3000, in seconds since 1970."""
_UNWANTED = str.maketrans("", "", "<>\n\r\0")


@frozen
class Signature:
    """Who wrote or made a commit. `time` is in seconds since 1970, `offset` as git writes it."""

    name: str
    email: str
    time: int = 0
    offset: str = "+0000"

    def line(self, time: int | None = None) -> str:
        """As a commit object holds it; without a name the email stands for it (git's fsck refuses an empty one)."""
        email = self.email.translate(_UNWANTED).strip()
        name = self.name.translate(_UNWANTED).strip() or email
        if not name:
            raise InvalidInput("the author of a commit needs an email", remedy="set spec.git.commit.author.email")
        return f"{name} <{email}> {self.time if time is None else time} {self.offset}"


@frozen
class Commit:
    """A commit's own words."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str

    @property
    def time(self) -> int:
        """The committer's time, in seconds since 1970."""
        return self.committer.time

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.lstrip("\n").partition("\n")[0].strip()


@frozen
class Tag:
    """An annotated tag: the name that it was given when it was made, and the whole raw object."""

    id: str
    name: str
    data: bytes


@frozen
class LineOrigin:
    """The commit that changed a line last, and where the line stood in it (from 1)."""

    commit: str
    path: str
    line: int


@frozen
class TreeEntry:
    """A folder (mode 40000), file, symlink (120000) or submodule (160000) of a tree. `path` holds bytes that are no
    UTF-8 escaped as surrogates.
    """

    mode: str
    type: str
    id: str
    path: str

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith("100")


def parse_tree(data: bytes, id_size: int) -> Iterator[TreeEntry]:
    """The entries of a raw tree object, each `mode name NUL id`; `id_size` is that of an id, in bytes."""
    position = 0
    while position < len(data):
        space = data.index(b" ", position)
        end = data.index(b"\0", space)
        mode = sys.intern(data[position:space].decode("ascii"))
        position = end + 1 + id_size
        name = data[space + 1 : end].decode("utf-8", "surrogateescape")
        yield TreeEntry(mode, _TYPES.get(mode, "blob"), data[end + 1 : position].hex(), name)


def parse_commit(object_id: str, data: bytes) -> Commit:
    """A raw commit object. Text that is no UTF-8 is read with replacement characters."""
    head, _, message = data.partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    return Commit(
        id=object_id,
        tree=fields["tree"][0],
        parents=tuple(fields.get("parent", ())),
        author=_signature(fields["author"][0]),
        committer=_signature(fields["committer"][0]),
        message=message.decode("utf-8", "replace"),
    )


def parse_tag(object_id: str, data: bytes) -> Tag:
    """A raw tag object."""
    head = data.partition(b"\n\n")[0].decode("utf-8", "surrogateescape")
    name = next((line[4:] for line in head.split("\n") if line.startswith("tag ")), "")
    return Tag(object_id, name, data)


def parse_blame(data: bytes, path: str) -> LineOrigin:
    """The first line of `git blame --porcelain`. `path` is the file that was asked for: it stands for a name that git
    writes in quotes.
    """
    head, *fields = data.decode("utf-8", "surrogateescape").split("\n")
    commit, line, *_ = head.split(" ")
    names = (field.removeprefix("filename ") for field in fields if field.startswith("filename "))
    name = next(names, path)
    return LineOrigin(commit, path if name.startswith('"') else name, int(line))


def _signature(line: str) -> Signature:
    name, _, rest = line.partition("<")
    email, _, moment = rest.rpartition(">")
    time, _, offset = moment.strip().partition(" ")
    return Signature(name.strip(), email, _seconds(time), offset or "+0000")


def _seconds(text: str) -> int:
    """A commit's time, which git lets be any number: no later than LATEST, so that it is a date."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return 0
    found = int(digits) if len(digits) <= len(str(LATEST)) else LATEST
    return -min(found, LATEST) if text != digits else min(found, LATEST)
