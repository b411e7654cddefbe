"""The host's package index settings, from pip's and uv's variables and pip's files: builds fetch where the host does.

They reach the resolver's environment alone: never an argument, a layer, a log or a cache key.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tidegate.base.frozen import frozen

_SECTIONS = ("global", "install")


@frozen
class IndexSettings:
    """Where wheels come from. `find_links` are URLs or folders; `ca_file` is trusted besides the system's."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    ca_file: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The settings with whatever secrets their URLs hold, for the child's stdin alone."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> IndexSettings:
        """Read what `as_json` wrote."""
        lists = {name: tuple(value[name]) for name in ("extra_index_urls", "find_links", "trusted_hosts")}
        return cls(value["index_url"], no_index=value["no_index"], ca_file=value["ca_file"], **lists)

    def identity(self) -> list[str]:
        """What a cache key may know: the addresses without user, password and query."""
        urls = [self.index_url or "", *self.extra_index_urls, *self.find_links]
        return [*map(_without_secrets, urls), str(self.no_index)]

    def environment(self) -> dict[str, str]:
        """The variables by which uv is told."""
        values = {
            "UV_DEFAULT_INDEX": self.index_url or "",
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_FIND_LINKS": ",".join(self.find_links),
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "SSL_CERT_FILE": self.ca_file or "",
        }
        return {name: value for name, value in values.items() if value}


def host_settings(environment: Mapping[str, str], files: Iterable[Path] | None = None) -> IndexSettings:
    """The settings of this host: variables win over files, uv's over pip's, as each of them reads its own."""
    pip: dict[str, str] = {}
    for path in pip_files(environment) if files is None else files:
        pip |= _read_pip_conf(path)
    for name, value in environment.items():
        if name.startswith("PIP_"):
            pip[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    settings = IndexSettings(
        pip.get("index-url") or None,
        tuple(pip.get("extra-index-url", "").split()),
        tuple(pip.get("find-links", "").split()),
        tuple(pip.get("trusted-host", "").split()),
        pip.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        pip.get("cert") or environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or None,
    )
    if environment.get("SSL_CERT_FILE"):
        settings = replace(settings, ca_file=environment["SSL_CERT_FILE"])
    return _with_uv(settings, environment)


def _with_uv(settings: IndexSettings, environment: Mapping[str, str]) -> IndexSettings:
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    extra = f"{environment.get('UV_INDEX', '')} {environment.get('UV_EXTRA_INDEX_URL', '')}".split()
    links = [link for link in environment.get("UV_FIND_LINKS", "").replace(",", " ").split() if link]
    return replace(
        settings,
        index_url=index or settings.index_url,
        extra_index_urls=tuple(extra) or settings.extra_index_urls,
        find_links=tuple(links) or settings.find_links,
        trusted_hosts=tuple(environment.get("UV_INSECURE_HOST", "").split()) or settings.trusted_hosts,
    )


def pip_files(environment: Mapping[str, str]) -> list[Path]:
    """pip's configuration files, the weakest first (pip's documentation, "Configuration")."""
    home = Path(environment.get("HOME") or "/nonexistent")
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    systems = [Path(folder) for folder in reversed((environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"))]
    files = [*(folder / "pip/pip.conf" for folder in systems), Path("/etc/pip.conf")]
    files += [home / ".pip/pip.conf", user / "pip/pip.conf"]
    if environment.get("VIRTUAL_ENV"):
        files.append(Path(environment["VIRTUAL_ENV"], "pip.conf"))
    if environment.get("PIP_CONFIG_FILE"):
        files.append(Path(environment["PIP_CONFIG_FILE"]))
    return files


def _read_pip_conf(path: Path) -> dict[str, str]:
    """A file that is missing or broken says nothing, as for pip itself in all but the latter case."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    values: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            values |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return values


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
