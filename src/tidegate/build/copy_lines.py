"""COPY and ADD: flags, sources and heredocs of a line, as a step. Pure."""

from __future__ import annotations

import posixpath
import re

from tidegate.build.dockerfile import Instruction
from tidegate.build.scope import Scope
from tidegate.build.stages import origin_of
from tidegate.build.steps import Copy, NamedFile, Origin
from tidegate.oci.values import is_digest

_MODE = re.compile(r"[0-7]{3,4}", re.ASCII)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_GIT = re.compile(r"git@|(?:git|ssh|ftp)://|https?://[^?#]*\.git(?:[#?]|$)", re.IGNORECASE)
_CHECKSUM = "an ADD of a URL needs --checksum=sha256:…, so that the same line gives the same image every time"


def copy(scope: Scope, one: Instruction) -> None:
    """COPY or ADD. Raises ValueError with what is wrong, or is not built."""
    flags = _flags(scope, one)
    sources, destination = _words(scope, one)
    target = scope.absolute(destination)
    step = Copy(
        one.line,
        one.text,
        tuple(sources),
        target,
        owner=scope.word(flags.get("--chown", "")),
        mode=_mode(scope.word(flags["--chmod"])) if "--chmod" in flags else None,
        adds=one.name == "ADD",
        origin=_origin(scope, flags["--from"]) if "--from" in flags else None,
        files=_files(scope, one),
        checksum=scope.word(flags.get("--checksum", "")),
    )
    _check_sources(one, step, destination)
    scope.steps.append(step)


def _flags(scope: Scope, one: Instruction) -> dict[str, str]:
    known = {"COPY": ("--chown", "--chmod", "--link", "--from"), "ADD": ("--chown", "--chmod", "--link", "--checksum")}
    flags: dict[str, str] = {}
    for flag in one.flags:
        name, _, value = flag.partition("=")
        if name in known[one.name]:
            flags[name] = value
        else:
            scope.fail(one, f"{one.name} {name} is not built natively yet")
    return flags


def _mode(text: str) -> int:
    if not _MODE.fullmatch(text):
        raise ValueError(f"--chmod={text} is not understood natively; write an octal mode such as 0644")
    return int(text, 8)


def _origin(scope: Scope, text: str) -> Origin:
    if not text:
        raise ValueError("--from names nothing")
    return origin_of(scope.dockerfile, text, scope.node.key.number)


def _words(scope: Scope, one: Instruction) -> tuple[list[str], str]:
    """The sources that are no heredocs, and the destination."""
    heredocs = {f"<<{each.name}" for each in one.heredocs}
    written = [word for word in one.arguments if not _is_heredoc(word, heredocs)]
    words = [scope.word(text) for text in written]
    if len(words) < (1 if one.heredocs else 2):
        raise ValueError(f"{one.name} needs a source and a destination")
    *sources, destination = words
    return sources, destination


def _is_heredoc(word: str, heredocs: set[str]) -> bool:
    plain = re.sub(r"^<<-?", "<<", word)
    return plain in heredocs or re.sub(r"['\"]", "", plain) in heredocs


def _files(scope: Scope, one: Instruction) -> tuple[NamedFile, ...]:
    return tuple(
        NamedFile(each.name, (_expanded(scope, each.content) if each.expands else each.content).encode())
        for each in one.heredocs
    )


def _expanded(scope: Scope, content: str) -> str:
    """A heredoc's content with its variables; quotes in it are text, as in the shell's."""
    return scope.expander().text(content)


def _check_sources(one: Instruction, step: Copy, destination: str) -> None:
    if "" in step.sources or not destination:
        raise ValueError(f"{one.name} has an empty path")
    for source in step.sources:
        if step.adds and _GIT.match(source):
            raise ValueError("ADD of a Git repository is not built; clone it before the build, and COPY it")
        if step.adds and _WEB.match(source):
            _check_url(step)
        elif ".." in posixpath.normpath(source.lstrip("/")).split("/"):
            raise ValueError(f"{one.name} {source} leads out of the context")
    if step.checksum and not any(_WEB.match(source) for source in step.sources):
        raise ValueError("--checksum is for an ADD of a URL")
    several = len(step.sources) + len(step.files) > 1
    if several and not destination.endswith(("/", "/.")) and destination != ".":
        raise ValueError(f"{one.name} of several sources needs a destination that ends with /")


def _check_url(step: Copy) -> None:
    if not step.checksum:
        raise ValueError(_CHECKSUM)
    if not is_digest(step.checksum):
        raise ValueError(f"--checksum={step.checksum} is no sha256 digest: sha256: and 64 of 0-9 a-f")
    if len(step.sources) + len(step.files) > 1:
        raise ValueError("--checksum is for one URL alone; write an ADD for each")


def is_url(source: str) -> bool:
    """Whether an ADD's source is fetched."""
    return _WEB.match(source) is not None
