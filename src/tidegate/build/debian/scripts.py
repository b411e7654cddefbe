"""Maintainer scripts that need not be run since all they do is known: alternatives, and steps of an upgrade. Pure.

A script is read as the shell reads it, for `preinst install` and `postinst configure` of a package that was not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.build.native import NotNative
from tidegate.build.shell import ShellCommand, Variables, parse_script

SCRIPTS = ("preinst", "postinst")
# What only an upgrade needs: nothing happens where the package is new (dpkg-maintscript-helper(1)).
_UPGRADE = re.compile(r"^[ \t]*dpkg-maintscript-helper(?:\\\n|[^\n])*$", re.MULTILINE)
_NEW = re.compile(
    r"""^if\ \[\ "?\$1"?\ (?:=\ "?configure"?|!=\ "?upgrade"?)\ \]
        (?:\ \|\|\ \[\ "?\$1"?\ =\ "?[a-z-]+"?\ \])*[ ]?;?\s+then\n
        (?P<body>(?:(?!\b(?:if|case|for|while)\b).)*?)\n[ \t]*fi[ \t]*$""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
# A link of old that is left behind, and what only a package that was there before has.
_NEVER = re.compile(
    r"""^if\ \[\ (?:-h\ (?P<path>\S+)\ -a\ !\ -e\ (?P=path)|"?\$1"?\ =\ "?install"?\ \]\ &&\ \[\ -n\ "\$2"[^\n;]*?)
        \ \][ ]?;?\s+then\n(?:(?!\b(?:if|case|for|while)\b).)*?\n[ \t]*fi[ \t]*$""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


@frozen
class Alternative:
    """One choice of update-alternatives(1): a generic link, what it leads to, and what goes along with it.

    `slaves` are (name, link, path).
    """

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...] = ()


def read_scripts(control: Mapping[str, bytes]) -> list[Alternative]:
    """What a package's scripts set up. Raises NotNative where one of them must be run."""
    if "config" in control:
        raise NotNative("config")
    found: list[Alternative] = []
    for name in SCRIPTS:
        if name in control:
            try:
                found += _read(control[name].decode("utf-8"))
            except (NotNative, UnicodeDecodeError) as why:
                raise NotNative(name) from why
    return found


def _read(script: str) -> list[Alternative]:
    first, _, body = script.partition("\n")
    if not re.match(r"#! ?/bin/(?:sh|bash|dash)(?: -e)?\s*$", first):
        raise NotNative(first)
    body = _UPGRADE.sub("", body)
    body = _NEVER.sub("", body)
    body = _NEW.sub(lambda found: found["body"], body)
    found: list[Alternative] = []

    def take(command: ShellCommand) -> None:
        words = command.texts
        if words[:1] == ["update-alternatives"]:
            found.append(_alternative(words[1:]))
        elif words not in (["set", "-e"], ["exit", "0"], ["true"], [":"], ["ldconfig"]):
            raise NotNative(" ".join(words))

    parse_script(body, Variables({}), (), take)
    return found


def _alternative(words: Sequence[str]) -> Alternative:
    rest = [word for word in words if word not in ("--quiet", "--force")]
    if rest[:1] != ["--install"] or len(rest) < 5 or not rest[4].isdigit():
        raise NotNative("update-alternatives")
    slaves = tuple(_slaves(rest[5:]))
    return Alternative(rest[1], rest[2], rest[3], int(rest[4]), slaves)


def _slaves(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for at in range(0, len(words), 4):
        if words[at] != "--slave" or len(words) < at + 4:
            raise NotNative("update-alternatives")
        link, name, path = words[at + 1 : at + 4]
        yield name, link, path


def administration(one: Alternative) -> str:
    """What update-alternatives notes of a name that has this choice alone."""
    ordered = sorted(one.slaves)
    slaves = [line for name, link, _ in ordered for line in (name, link)]
    paths = [path for _, _, path in ordered]
    return "".join(f"{line}\n" for line in ("auto", one.link, *slaves, "", one.path, one.priority, *paths, ""))
