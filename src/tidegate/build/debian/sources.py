"""Which mirrors serve Debian: those of this machine's apt sources, else Debian's own. Reads apt's two formats, only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.base.frozen import frozen

DEFAULT_ARCHIVE = "http://deb.debian.org/debian"
DEFAULT_SECURITY = "http://deb.debian.org/debian-security"
_APT = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)")


@frozen
class Source:
    """One place that apt reads: a base URL without a final slash, and the suites it is used for."""

    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


@frozen
class Mirrors:
    """The base URLs of the archive and of its security updates."""

    archive: str = DEFAULT_ARCHIVE
    security: str = DEFAULT_SECURITY


def choose_mirrors(sources: Iterable[Source], suite: str) -> Mirrors:
    """The mirrors for `suite`: a source that names the suite, else one whose URL looks like the archive's."""
    usable = [source for source in sources if "main" in source.components]
    return Mirrors(
        _choose(usable, suite, "debian") or DEFAULT_ARCHIVE,
        _choose(usable, f"{suite}-security", "debian-security") or DEFAULT_SECURITY,
    )


def _choose(sources: list[Source], suite: str, folder: str) -> str | None:
    named = [source.url for source in sources if suite in source.suites]
    alike = [source.url for source in sources if urlsplit(source.url).path.rpartition("/")[2] == folder]
    return next(iter([*named, *alike]), None)


def machine_sources(apt: Path = _APT) -> list[Source]:
    """Every enabled binary source in apt's configuration folder; what can't be read there is left out."""
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    found: list[Source] = []
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text("utf-8", "replace")
        if file.suffix == ".sources":
            found += parse_deb822(text)
        elif file.suffix == ".list":
            found += parse_one_line(text)
    return found


def parse_one_line(text: str) -> list[Source]:
    """Sources of the `deb [options] URL SUITE COMPONENT…` form (sources.list(5))."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match and _is_http(match[1]):
            found.append(Source(match[1].rstrip("/"), (match[2],), tuple(match[3].split())))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Sources of the stanza form (sources.list(5), deb822)."""
    found: list[Source] = []
    for fields in _stanzas(text):
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        suites, components = tuple(fields.get("suites", "").split()), tuple(fields.get("components", "").split())
        urls = [url.rstrip("/") for url in fields.get("uris", "").split() if _is_http(url)]
        found += [Source(url, suites, components) for url in urls]
    return found


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t":
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def _is_http(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")
