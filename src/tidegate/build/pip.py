"""Understands the `RUN pip install …` that people write, as what is to be installed; of any other RUN, says why not.

Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from tidegate.base.frozen import frozen

NATIVE = (
    "only `pip install` can be built natively, without running the image's programs. Instead: make it in a step of the "
    "workflow (which has no network) or commit it, and COPY it; or have Debian's package in the base: "
    "tidegate up --base FROM=debian:bookworm,python3,PACKAGE"
)
_SEPARATORS = frozenset("();<>|&")
# Flags that change nothing about what is installed here.
_IGNORED = frozenset({
    "--no-cache-dir", "--quiet", "-q", "-qq", "-qqq", "--verbose", "-v", "-vv", "-vvv", "--disable-pip-version-check",
    "--no-warn-script-location", "--break-system-packages", "--no-input", "--no-color", "--no-compile", "--compile",
    "--prefer-binary", "--no-warn-conflicts", "--no-build-isolation", "--isolated", "--no-python-version-warning",
    "--use-pep517", "--ignore-installed", "-I", "--force-reinstall",
})  # fmt: skip
_IGNORED_WITH_VALUE = frozenset({
    "--root-user-action", "--progress-bar", "--timeout", "--default-timeout", "--retries", "--cache-dir", "--log",
    "--exists-action", "--upgrade-strategy", "--cert", "--use-feature", "--only-binary",
})  # fmt: skip
_TAKEN = {
    "-r": "requirements", "--requirement": "requirements", "-c": "constraints", "--constraint": "constraints",
    "-i": "index_url", "--index-url": "index_url", "--extra-index-url": "extra_index_urls",
    "--trusted-host": "trusted_hosts",
}  # fmt: skip
_SWITCHES = {"-U": "upgrade", "--upgrade": "upgrade", "--pre": "pre", "--no-deps": "no_deps",
             "--require-hashes": "require_hashes"}  # fmt: skip
_PYTHON = re.compile(r"(?:/usr(?:/local)?/bin/)?python(?:3(?:\.[0-9]+)?)?", re.ASCII)
_PIP = re.compile(r"(?:/usr(?:/local)?/bin/)?pip(?:3(?:\.[0-9]+)?)?", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_LOCAL = re.compile(r"[./~].*|.*\.(?:whl|tar\.gz|zip)|[^@\s]*/[^@]*", re.DOTALL)
_WHEEL_URL = re.compile(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?\s*@\s*(https://[^\s;#]+\.whl)(?:[\s;#]|$)")
_CACHE_CLEANING = re.compile(r"(?:/root|~|\$HOME)/\.cache(?:/pip)?(?:/\*)?/?|/tmp/\*", re.ASCII)


class NotNative(Exception):
    """Why a RUN can't be built natively."""


@frozen
class PipInstall:
    """One installation: requirements by name, and files of them by their path in the image (maybe relative)."""

    names: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    upgrade: bool = False
    pre: bool = False
    no_deps: bool = False
    require_hashes: bool = False


@frozen
class PipRun:
    """What a RUN comes to: installations in order, and notes about what was left out, for the log."""

    installs: tuple[PipInstall, ...]
    notes: tuple[str, ...] = ()


def parse_shell(text: str, expand: Callable[[str], list[str]]) -> PipRun:
    """Read the shell form: `pip install`s joined by `&&`. `expand` gives a word's value. Raises NotNative."""
    return parse_commands(_split(text, expand))


def parse_exec(words: Sequence[str]) -> PipRun:
    """Read the exec form. A shell with `-c` inside is refused: write the shell form. Raises NotNative."""
    return parse_commands([list(words)])


def parse_commands(commands: Iterable[Sequence[str]]) -> PipRun:
    """Read commands that are run one after another. Raises NotNative."""
    installs: list[PipInstall] = []
    notes: list[str] = []
    for command in commands:
        install = _command(list(command), notes)
        if install is not None:
            installs.append(install)
    return PipRun(tuple(installs), tuple(notes))


def _split(text: str, expand: Callable[[str], list[str]]) -> list[list[str]]:
    if "`" in text or "$(" in text:
        raise NotNative(f"a command inside a command must be run; {NATIVE}")
    commands: list[list[str]] = [[]]
    for token in _tokens(text):
        if token in ("&&", ";"):
            commands.append([])
        elif token[0] in _SEPARATORS:
            named = [word for word in commands[-1] if not _ASSIGNMENT.fullmatch(word)]
            quoted = token[0] in "<>" and named and _after_pip(named) is not None
            hint = "; put quotes around a requirement such as 'name>=1.0'" if quoted else ""
            raise NotNative(f"the shell's {token!r} must be run{hint}; {NATIVE}")
        else:
            try:
                commands[-1] += expand(token)
            except ValueError as error:
                raise NotNative(str(error)) from error
    return [command for command in commands if command]


def _tokens(text: str) -> Iterator[str]:
    """Words as they are written, quotes and all, and between them the shell's operators."""
    word, at = "", 0
    while at < len(text):
        char = text[at]
        step = 1
        if char in "'\"":
            step = _quoted(text, at)
        elif char == "\\":
            step = 2
        elif char.isspace() or char in _SEPARATORS:
            if word:
                yield word
            word = ""
            if char in _SEPARATORS:
                step = 2 if text[at : at + 2] in ("&&", "||", ">>", "<<") else 1
                yield text[at : at + step]
            at += step
            continue
        elif char == "#" and not word:
            return
        word += text[at : at + step]
        at += step
    if word:
        yield word


def _quoted(text: str, start: int) -> int:
    """The length of the quoted part that begins at `start`."""
    quote, at = text[start], start + 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and quote == '"' else 1
    if at >= len(text):
        raise NotNative(f"the shell would wait for another {quote}")
    return at + 1 - start


def _command(words: list[str], notes: list[str]) -> PipInstall | None:
    while words and _ASSIGNMENT.fullmatch(words[0]):
        name = words.pop(0).partition("=")[0]
        if name.startswith("PIP_") and not is_ignored_setting(name):
            raise NotNative(f"the setting {name} in front of the command is not understood natively")
    if not words or _is_harmless(words):
        return None
    rest = _after_pip(words)
    if rest is None:
        raise NotNative(f"`{shlex.join(words)[:200]}` must be run; {NATIVE}")
    while rest and rest[0] in _IGNORED:
        rest.pop(0)
    if rest[:2] == ["cache", "purge"]:
        return None
    if not rest or rest.pop(0) != "install":
        raise NotNative(f"`{shlex.join(words)[:200]}` must be run; {NATIVE}")
    return _without_pip(_options(rest), notes)


def _is_harmless(words: list[str]) -> bool:
    """Commands that change no file of a layer: shell switches, and cleaning a cache that is never filled here."""
    if words in (["true"], [":"]):
        return True
    if words[0] == "set":
        return all(re.fullmatch(r"-[euxo]+|pipefail", word) for word in words[1:])
    if words[0] == "rm" and len(words) > 2:
        return words[1] in ("-rf", "-fr", "-r", "-Rf") and all(_CACHE_CLEANING.fullmatch(word) for word in words[2:])
    return False


def _after_pip(words: list[str]) -> list[str] | None:
    if _PIP.fullmatch(words[0]):
        return words[1:]
    if _PYTHON.fullmatch(words[0]) and words[1:3] == ["-m", "pip"]:
        return words[3:]
    return None


def _options(words: list[str]) -> PipInstall:
    found: dict[str, list[str]] = {}
    switches: set[str] = set()
    names: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, given, value = _flag(word)
        if not flag:
            names.append(check_requirement(word))
        elif flag in _SWITCHES and not given:
            switches.add(_SWITCHES[flag])
        elif flag in _TAKEN or flag in _IGNORED_WITH_VALUE:
            if not given:
                if not rest:
                    raise NotNative(f"pip's option {flag} needs a value")
                value = rest.pop(0)
            if flag in _TAKEN:
                found.setdefault(_TAKEN[flag], []).append(value)
        elif flag not in _IGNORED or given:
            raise NotNative(f"pip's option {flag} is not understood natively")
    for url in (*found.get("index_url", ()), *found.get("extra_index_urls", ())):
        check_index(url)
    if not names and "requirements" not in found:
        raise NotNative("pip install names nothing to install")
    return PipInstall(
        tuple(names),
        tuple(found.get("requirements", ())),
        tuple(found.get("constraints", ())),
        next(reversed(found.get("index_url", [])), None),
        tuple(found.get("extra_index_urls", ())),
        tuple(found.get("trusted_hosts", ())),
        **dict.fromkeys(switches, True),
    )


def _flag(word: str) -> tuple[str, bool, str]:
    """The option that a word is: its name, whether its value is in the same word, and that value."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, bool(equals), value
    if word.startswith("-") and len(word) > 1:
        if word[:2] in ("-r", "-c", "-i") and len(word) > 2:
            return word[:2], True, word[2:]
        return word, False, ""
    return "", False, ""


def check_index(url: str) -> None:
    """Raise NotNative where a Dockerfile's index is no web address, or one on the machine that builds."""
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme not in ("http", "https") or not host:
        raise NotNative("an index must be at a web address")
    if host == "localhost" or host.endswith(".localhost") or _is_own_address(host):
        raise NotNative(
            f"the index {host} would be asked on the machine that builds; set it in that machine's pip.conf"
        )


def _is_own_address(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or address.is_link_local


def check_requirement(word: str) -> str:
    """A requirement that an index or an https address of a wheel can meet; it is given back. Raises NotNative."""
    if "://" in word and "@" in word.partition("://")[2].partition("/")[0]:
        raise NotNative("a requirement's URL has a user or password in it, which would end up in the image")
    url = _WHEEL_URL.match(word)
    if url:
        check_index(url[1])
        return word
    if "://" in word or _LOCAL.fullmatch(word.partition(";")[0].partition("[")[0]):
        raise NotNative(f"{word!r} must be built from its source; only wheels from an index can be installed natively")
    return word


def _without_pip(install: PipInstall, notes: list[str]) -> PipInstall | None:
    """pip is not in the image and upgrading it there would serve nobody."""
    kept = []
    for name in install.names:
        match = _NAME.match(name)
        if match and re.sub(r"[-_.]+", "-", match[0]).lower() == "pip" and "@" not in name:
            notes.append("pip itself is not installed or upgraded: wheels are put into the image from outside")
        else:
            kept.append(name)
    if not kept and not install.requirements:
        return None
    return replace(install, names=tuple(kept))


_IGNORED_SETTINGS = frozenset({
    "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_ROOT_USER_ACTION", "PIP_DEFAULT_TIMEOUT", "PIP_TIMEOUT",
    "PIP_RETRIES", "PIP_PROGRESS_BAR", "PIP_NO_INPUT", "PIP_QUIET", "PIP_VERBOSE", "PIP_NO_COMPILE", "PIP_CACHE_DIR",
    "PIP_BREAK_SYSTEM_PACKAGES", "PIP_NO_WARN_SCRIPT_LOCATION", "PIP_PREFER_BINARY", "PIP_CERT", "PIP_ONLY_BINARY",
})  # fmt: skip
_INDEX_SETTINGS = {
    "PIP_INDEX_URL": "index_url", "PIP_EXTRA_INDEX_URL": "extra_index_urls", "PIP_TRUSTED_HOST": "trusted_hosts",
}  # fmt: skip


def is_ignored_setting(name: str) -> bool:
    """Whether a PIP_ variable changes nothing about what is installed here."""
    return name in _IGNORED_SETTINGS


def with_settings(run: PipRun, variables: Mapping[str, str]) -> PipRun:
    """`run` with the indexes that the image's own environment names. Raises NotNative on a setting not understood."""
    for name in variables:
        if name.startswith("PIP_") and not is_ignored_setting(name) and name not in _INDEX_SETTINGS:
            raise NotNative(f"the setting {name} is not understood natively")
    index_url = variables.get("PIP_INDEX_URL")
    extra = tuple(variables.get("PIP_EXTRA_INDEX_URL", "").split())
    for url in (*([index_url] if index_url else ()), *extra):
        check_index(url)
    trusted = tuple(variables.get("PIP_TRUSTED_HOST", "").split())
    installs = [
        replace(
            install,
            index_url=install.index_url or index_url,
            extra_index_urls=(*extra, *install.extra_index_urls),
            trusted_hosts=(*trusted, *install.trusted_hosts),
        )
        for install in run.installs
    ]
    return replace(run, installs=tuple(installs))
