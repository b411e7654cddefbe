"""Understands the `pip install …` and `uv pip install …` that people write, as what is to be installed. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from tidegate.base.frozen import frozen
from tidegate.build.native import NotNative

# Flags that change nothing about what is installed here.
_IGNORED = frozenset({
    "--no-cache-dir", "--quiet", "-q", "-qq", "-qqq", "--verbose", "-v", "-vv", "-vvv", "--disable-pip-version-check",
    "--no-warn-script-location", "--break-system-packages", "--no-input", "--no-color", "--no-compile", "--compile",
    "--prefer-binary", "--no-warn-conflicts", "--no-build-isolation", "--isolated", "--no-python-version-warning",
    "--use-pep517", "--ignore-installed", "-I", "--force-reinstall",
})  # fmt: skip
_UV_IGNORED = frozenset({"--no-cache", "-n", "--compile-bytecode", "--no-progress", "--link-mode=copy", "--no-config",
                         "--link-mode=hardlink", "--native-tls", "--offline"})  # fmt: skip
_UV_SETTINGS = frozenset({"UV_SYSTEM_PYTHON", "UV_COMPILE_BYTECODE", "UV_LINK_MODE", "UV_NO_CACHE", "UV_CACHE_DIR",
                          "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_HTTP_TIMEOUT", "UV_NO_PROGRESS",
                          "UV_PYTHON_DOWNLOADS", "UV_PROJECT_ENVIRONMENT"})  # fmt: skip
_IGNORED_WITH_VALUE = frozenset({
    "--root-user-action", "--progress-bar", "--timeout", "--default-timeout", "--retries", "--cache-dir", "--log",
    "--exists-action", "--upgrade-strategy", "--cert", "--use-feature", "--only-binary",
})  # fmt: skip
_TAKEN = {
    "-r": "requirements", "--requirement": "requirements", "-c": "constraints", "--constraint": "constraints",
    "-i": "index_url", "--index-url": "index_url", "--extra-index-url": "extra_index_urls",
    "--trusted-host": "trusted_hosts", "-t": "target", "--target": "target",
}  # fmt: skip
_SWITCHES = {"-U": "upgrade", "--upgrade": "upgrade", "--pre": "pre", "--no-deps": "no_deps",
             "--require-hashes": "require_hashes", "--user": "user"}  # fmt: skip
_PYTHON = re.compile(r"python(?:3(?:\.[0-9]+)?)?", re.ASCII)
_PIP = re.compile(r"pip(?:3(?:\.[0-9]+)?)?", re.ASCII)
_SYSTEM = frozenset({"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_LOCAL = re.compile(r"[./~].*|.*\.(?:whl|tar\.gz|zip)|[^@\s]*/[^@]*", re.DOTALL)
_WHEEL_URL = re.compile(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?\s*@\s*(https://[^\s;#]+\.whl)(?:[\s;#]|$)")


@frozen
class PipInstall:
    """One installation: requirements by name, and files of them by their path in the image (maybe relative).

    `environments` are the folders that may be the virtual environment meant, the first that is one; with `strict` one
    of them must be. `target` is the folder of `--target`; `user` says that it is the user's own site; `bundled` that
    the wheels are those which the image's Python brings for its environments.
    """

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
    environments: tuple[str, ...] = ()
    strict: bool = False
    user: bool = False
    target: str = ""
    bundled: bool = False


def read_pip_command(words: Sequence[str], variables: Mapping[str, str], notes: list[str]) -> list[PipInstall] | None:
    """The installations that a command is; None where it is neither pip's nor uv's. Raises NotNative."""
    rest = _after_uv(list(words))
    if rest is not None:
        return _read_uv(rest, variables, notes)
    rest = _after_pip(list(words))
    if rest is None:
        return None
    while rest and rest[0] in _IGNORED:
        rest.pop(0)
    if rest[:1] in (["cache"], ["check"], ["list"], ["freeze"], ["--version"], ["-V"]):
        return []
    if not rest or rest.pop(0) != "install":
        raise NotNative(f"`{shlex.join(words)[:200]}` must be run")
    environments, strict = _environments(words, variables)
    found = _without_pip(replace(_options(rest), environments=environments, strict=strict), notes)
    return [] if found is None else [with_settings(found, variables)]


def _after_pip(words: list[str]) -> list[str] | None:
    name = words[0].rpartition("/")[2]
    if _PIP.fullmatch(name):
        return words[1:]
    if _PYTHON.fullmatch(name) and "-m" in words[1:3] and words[words.index("-m") + 1 :][:1] == ["pip"]:
        return words[words.index("-m") + 2 :]
    return None


def _after_uv(words: list[str]) -> list[str] | None:
    if words[0].rpartition("/")[2] == "uv":
        return words[1:]
    return words[3:] if _PYTHON.fullmatch(words[0].rpartition("/")[2]) and words[1:3] == ["-m", "uv"] else None


def _read_uv(words: list[str], variables: Mapping[str, str], notes: list[str]) -> list[PipInstall]:
    """`uv pip install`: into the system where that is said, else into the environment that is active or here."""
    unknown = [name for name in variables if name.startswith("UV_") and name not in _UV_SETTINGS]
    if unknown:
        raise NotNative(f"the setting {unknown[0]} is not understood natively")
    if words[:2] in (["cache", "clean"], ["cache", "prune"]) or words in (["--version"], ["version"]):
        return []
    if words[:2] != ["pip", "install"]:
        raise NotNative(f"`{shlex.join(['uv', *words])[:200]}` must be run")
    rest = [word for word in words[2:] if word not in _UV_IGNORED]
    system = "--system" in rest or variables.get("UV_SYSTEM_PYTHON", "").lower() in ("1", "true", "yes")
    install = _without_pip(_options([word for word in rest if word != "--system"]), notes)
    if install is None:
        return []
    if variables.get("UV_INDEX_URL") or variables.get("UV_EXTRA_INDEX_URL"):
        raise NotNative("indexes in UV_ variables are not understood natively; write --index-url")
    here = (variables["VIRTUAL_ENV"],) if variables.get("VIRTUAL_ENV") else (".venv",)
    environments = () if system or install.target else here
    return [replace(install, environments=environments, strict=bool(environments))]


def _environments(words: Sequence[str], variables: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
    """Which folders may be the virtual environment of a program: its own, else those that come first on PATH."""
    folder, slash, _ = words[0].rpartition("/")
    if slash:
        return ((), False) if f"{folder}/" in _SYSTEM else ((folder.removesuffix("/bin"),), True)
    ahead: list[str] = []
    for one in variables.get("PATH", "").split(":"):
        if f"{one}/" in _SYSTEM:
            break
        if one.startswith("/") and one.endswith("/bin"):
            ahead.append(one.removesuffix("/bin"))
    return tuple(ahead), False


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
        upgrade="upgrade" in switches,
        pre="pre" in switches,
        no_deps="no_deps" in switches,
        require_hashes="require_hashes" in switches,
        user="user" in switches,
        target=next(reversed(found.get("target", [])), ""),
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


def check_address(url: str) -> None:
    """Raise NotNative where a Dockerfile's URL is no web address, or one on the machine that builds."""
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme not in ("http", "https") or not host:
        raise NotNative("an index must be at a web address")
    if host == "localhost" or host.endswith(".localhost") or _is_own_address(host):
        raise NotNative(f"{host} would be asked on the machine that builds")


def check_index(url: str) -> None:
    """Raise NotNative where a Dockerfile's index is no web address, or one on the machine that builds."""
    try:
        check_address(url)
    except NotNative as why:
        hint = "; set it in that machine's pip.conf" if "would be asked" in str(why) else ""
        raise NotNative(f"the index {why}{hint}" if hint else str(why)) from why


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


def with_settings(install: PipInstall, variables: Mapping[str, str]) -> PipInstall:
    """`install` with what the image's own environment says to pip. Raises NotNative on a setting not understood."""
    for name in variables:
        if name.startswith("PIP_") and not is_ignored_setting(name) and name not in _INDEX_SETTINGS:
            raise NotNative(f"the setting {name} is not understood natively")
    index_url = variables.get("PIP_INDEX_URL")
    extra = tuple(variables.get("PIP_EXTRA_INDEX_URL", "").split())
    for url in (*([index_url] if index_url else ()), *extra):
        check_index(url)
    return replace(
        install,
        index_url=install.index_url or index_url,
        extra_index_urls=(*extra, *install.extra_index_urls),
        trusted_hosts=(*variables.get("PIP_TRUSTED_HOST", "").split(), *install.trusted_hosts),
    )
