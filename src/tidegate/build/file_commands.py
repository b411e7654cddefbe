"""The commands on files that surround a build, `mkdir`, `chown`, `cp` and their like, read into actions. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from tidegate.build.actions import (
    Action,
    ChangeMode,
    ChangeOwner,
    CopyFiles,
    InstallFiles,
    MakeFolders,
    MakeLink,
    MoveFiles,
    Remove,
    Touch,
    WriteFile,
)
from tidegate.build.native import NotNative
from tidegate.build.options import Options, read_options
from tidegate.build.shell import Redirect, ShellCommand, Word

_QUIET = {"-v": "", "--verbose": ""}
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'", "r": "\r"}


def absolute(folder: str, word: Word) -> Word:
    """A path's word, seen from `folder`; what its end says (a slash, a dot) stays."""
    if not word.text:
        raise NotNative("a command is given an empty path")
    quoted = re.sub(r"([*?\[\]\\])", r"\\\1", folder)
    return Word(posixpath.join(folder, word.text), posixpath.join(quoted, word.pattern) if word.pattern else "")


class _Reading:
    """A command's options with its paths made absolute."""

    def __init__(self, command: ShellCommand, folder: str):
        self.name = command.words[0].text.rpartition("/")[2]
        self.folder = folder
        self.words = command.words[1:]
        self.options = Options()

    def read(self, switches: dict[str, str], valued: dict[str, str] | None = None) -> Options:
        self.options = read_options(self.name, self.words, _QUIET | switches, valued)
        return self.options

    def paths(self, at_least: int = 1, start: int = 0) -> tuple[Word, ...]:
        found = self.options.operands[start:]
        if len(found) < at_least:
            raise NotNative(f"{self.name} names too few files")
        return tuple(absolute(self.folder, word) for word in found)

    def sources_and_target(self) -> tuple[tuple[Word, ...], Word, bool | None]:
        """The files, where they go, and whether that must be a directory (None where it may be)."""
        if self.options.has("into"):
            target = absolute(self.folder, Word(self.options.value("into")))
            return self.paths(1), target, True
        *sources, target = self.paths(2)
        if target.pattern:
            raise NotNative(f"{self.name} to a pattern must be run")
        into = False if self.options.has("file") else True if len(sources) > 1 else None
        return tuple(sources), target, into


def mkdir(one: _Reading) -> Action:
    """`mkdir`."""
    options = one.read({"-p": "parents", "--parents": "parents"}, {"-m": "mode", "--mode": "mode"})
    return MakeFolders(one.paths(), options.has("parents"), options.value("mode"))


def rm(one: _Reading) -> Action | None:
    """`rm`."""
    names = {"-r": "recursive", "-R": "recursive", "--recursive": "recursive", "-f": "force", "--force": "force"}
    options = one.read(names)
    if not options.operands and options.has("force"):
        return None
    return Remove(one.paths(), options.has("recursive"), options.has("force"))


def rmdir(one: _Reading) -> Action:
    """`rmdir`."""
    one.read({})
    return Remove(one.paths(), empty_folders=True)


def ln(one: _Reading) -> Action:
    """`ln -s`, of one link."""
    symbolic, force, plain = "symbolic", "force", "plain"
    names = {"-s": symbolic, "--symbolic": symbolic, "-f": force, "--force": force}
    options = one.read(names | {"-n": plain, "--no-dereference": plain, "-T": "file", "--no-target-directory": "file"})
    if not 1 <= len(options.operands) <= 2 or any(word.pattern for word in options.operands):
        raise NotNative("ln of several files must be run")
    if not options.has(symbolic):
        raise NotNative("a hard link is one file of two names, which is not kept natively; write ln -s")
    target = options.operands[0].text
    path = one.paths(1, 1)[0] if len(options.operands) == 2 else Word(posixpath.join(one.folder, "."))
    return MakeLink(target, path, options.has(force), not options.has(plain) and not options.has("file"))


def cp(one: _Reading) -> Action:
    """`cp`."""
    names = {"-r": "recursive", "-R": "recursive", "--recursive": "recursive", "-a": "archive", "--archive": "archive",
             "-p": "preserve", "-f": "", "--force": "", "-P": "links", "--no-dereference": "links", "-d": "links",
             "-L": "follow", "--dereference": "follow", "-n": "keep", "--no-clobber": "keep", "-T": "file",
             "--no-target-directory": "file"}  # fmt: skip
    options = one.read(names, {"-t": "into", "--target-directory": "into"})
    sources, target, into = one.sources_and_target()
    recursive = options.has("recursive") or options.has("archive")
    if recursive and options.has("follow"):
        raise NotNative("cp -rL must be run")
    follow = not (recursive or options.has("links"))
    preserve = options.has("preserve") or options.has("archive")
    return CopyFiles(sources, target, recursive, preserve, follow, into, options.has("keep"))


def mv(one: _Reading) -> Action:
    """`mv`."""
    names = {"-f": "", "--force": "", "-n": "keep", "--no-clobber": "keep", "-T": "file",
             "--no-target-directory": "file"}  # fmt: skip
    options = one.read(names, {"-t": "into", "--target-directory": "into"})
    sources, target, into = one.sources_and_target()
    return MoveFiles(sources, target, into, options.has("keep"))


def install(one: _Reading) -> Action | list[Action]:
    """`install`: of files, or of directories with `-d`."""
    names = {"-d": "folders", "--directory": "folders", "-D": "parents", "-p": "", "-c": "", "-T": "file"}
    valued = {"-m": "mode", "--mode": "mode", "-o": "owner", "--owner": "owner", "-g": "group", "--group": "group",
              "-t": "into", "--target-directory": "into"}  # fmt: skip
    options = one.read(names, valued)
    owner, group = options.value("owner"), options.value("group")
    if not options.has("folders"):
        sources, target, into = one.sources_and_target()
        mode = options.value("mode", "755")
        return InstallFiles(sources, target, mode, owner, group, options.has("parents"), into)
    paths = one.paths()
    actions: list[Action] = [MakeFolders(paths, True), ChangeMode(options.value("mode", "755"), paths)]
    return [*actions, ChangeOwner(owner, group, paths)] if owner or group else actions


def touch(one: _Reading) -> Action:
    """`touch`: times are the same in every layer, so only whether a file is there counts."""
    options = one.read({"-c": "keep", "-a": "", "-m": ""}, {"-t": "", "-d": "", "--date": "", "-r": ""})
    return Touch(one.paths(), not options.has("keep"))


def chmod(one: _Reading) -> Action:
    """`chmod`."""
    words = one.words
    if words and re.fullmatch(r"-[rwxXst]+", words[0].text):
        raise NotNative("chmod with a mode that begins with - must be run")
    options = one.read({"-R": "recursive", "--recursive": "recursive", "-f": "", "-c": ""})
    if not options.operands:
        raise NotNative("chmod names too few files")
    return ChangeMode(options.operands[0].text, one.paths(1, 1), options.has("recursive"))


def chown(one: _Reading) -> Action:
    """`chown` and `chgrp`."""
    names = {"-R": "recursive", "--recursive": "recursive", "-h": "links", "--no-dereference": "links", "-f": "",
             "-c": ""}  # fmt: skip
    options = one.read(names)
    if len(options.operands) < 2:
        raise NotNative(f"{one.name} names too few files")
    text = options.operands[0].text
    owner, colon, group = ("", "", text) if one.name == "chgrp" else text.partition(":")
    follow = not options.has("links") and not options.has("recursive")
    login = bool(colon) and not group and bool(owner)
    return ChangeOwner(owner, group, one.paths(1, 1), options.has("recursive"), follow, login)


_COMMANDS: dict[str, Callable[[_Reading], Action | Sequence[Action] | None]] = {
    "mkdir": mkdir, "rm": rm, "rmdir": rmdir, "ln": ln, "cp": cp, "mv": mv, "install": install, "touch": touch,
    "chmod": chmod, "chown": chown, "chgrp": chown,
}  # fmt: skip


def read_file_command(command: ShellCommand, folder: str) -> list[Action] | None:
    """What a command on files does, seen from `folder`; None for any other command. Raises NotNative."""
    name = command.words[0].text.rpartition("/")[2]
    if name in ("echo", "printf", "cat"):
        return _writing(name, command, folder)
    reader = _COMMANDS.get(name)
    if reader is None:
        return None
    if any(not _is_silencing(redirect) for redirect in command.redirects):
        raise NotNative(f"what `{name}` says can't be sent to a file natively")
    found = reader(_Reading(command, folder))
    return [] if found is None else list(found) if isinstance(found, Sequence) else [found]


def _is_silencing(redirect: Redirect) -> bool:
    return redirect.operator == ">&" or (redirect.operator == ">" and redirect.word.text == "/dev/null")


def without_silence(command: ShellCommand) -> ShellCommand:
    """The command without `> /dev/null` and its like."""
    return replace(command, redirects=tuple(one for one in command.redirects if not _is_silencing(one)))


def _writing(name: str, command: ShellCommand, folder: str) -> list[Action]:
    """`echo`, `printf` and `cat`, whose words go to a file, or to nobody."""
    plain = without_silence(command)
    files = [one for one in plain.redirects if one.operator in (">", ">>")]
    documents = [one for one in plain.redirects if one.operator == "<<"]
    if len(files) > 1 or len(documents) > 1 or len(files) + len(documents) < len(plain.redirects):
        raise NotNative(f"`{name}` with these redirections must be run")
    copies: tuple[Word, ...] = ()
    if name == "cat":
        copies, content = _cat(plain, documents, folder)
    else:
        if any(word.pattern for word in plain.words):
            raise NotNative(f"`{name}` of a pattern must be run")
        content = _echo(plain.texts[1:]) if name == "echo" else _printf(plain.texts[1:])
    if not files:
        if copies:
            raise NotNative("a `cat` that only prints must be run: whether its files are there is seen then")
        return []
    if files[0].descriptor != 1:
        raise NotNative(f"`{name}` with these redirections must be run")
    return [WriteFile(absolute(folder, files[0].word), content, files[0].operator == ">>", copies)]


def _cat(command: ShellCommand, documents: list[Redirect], folder: str) -> tuple[tuple[Word, ...], bytes]:
    names = command.words[1:]
    if (documents and not names) or [word.text for word in names] == ["-"]:
        if not documents:
            raise NotNative("`cat` waits for input")
        return (), documents[0].word.text.encode("utf-8", "surrogateescape")
    if documents or not names or any(word.text.startswith("-") for word in names):
        raise NotNative("`cat` with these options must be run")
    return tuple(absolute(folder, word) for word in names), b""


def _echo(words: list[str]) -> bytes:
    end = "\n"
    if words[:1] == ["-n"]:
        words, end = words[1:], ""
    if any("\\" in word for word in words) or (words and re.fullmatch(r"-[neE]+", words[0])):
        raise NotNative("what `echo` makes of a backslash depends on the shell; write printf")
    return (" ".join(words) + end).encode("utf-8", "surrogateescape")


def _printf(words: list[str]) -> bytes:
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise NotNative("`printf` names nothing")
    pieces = re.findall(r"%.|\\[0-7]{1,3}|\\.|[^%\\]+|.", words[0], re.DOTALL)
    arguments, text = list(words[1:]), ""
    while True:
        left = len(arguments)
        text += "".join(_printed(piece, arguments) for piece in pieces)
        if not arguments or len(arguments) == left:
            return text.encode("utf-8", "surrogateescape")


def _printed(piece: str, arguments: list[str]) -> str:
    if piece == "%s":
        return arguments.pop(0) if arguments else ""
    if piece == "%%":
        return "%"
    if piece.startswith("\\") and piece[1:] in _ESCAPES:
        return _ESCAPES[piece[1:]]
    if piece[0] in "%\\":
        raise NotNative(f"`printf` with {piece} must be run")
    return piece
