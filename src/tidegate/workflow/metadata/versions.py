"""The two notations of versions that tag patterns know: semver (as node-semver reads it) and PEP 440."""

from __future__ import annotations

import re

from tidegate.base.frozen import frozen

_NUMBER = r"(0|[1-9]\d*)"
_PRE = r"(?:\d*[a-zA-Z-][a-zA-Z0-9-]*|0|[1-9]\d*)"
_SEMVER = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PRE}(?:\.{_PRE})*))?(?:\+[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*)?", re.ASCII
)
_LARGEST = 2**53 - 1
_PEP440 = re.compile(
    r"v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)"
    r"(?P<pre>[-_.]?(?P<pre_l>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pre_n>[0-9]+)?)?"
    r"(?P<post>-(?P<post_1>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_2>[0-9]+)?)?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>[0-9]+)?)?(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.IGNORECASE | re.ASCII,
)
_PRE_NAMES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_LONGEST = 256


@frozen
class Version:
    """A version as patterns see it; `stable` where it is neither a pre-release nor one of PEP 440's after-releases."""

    raw: str
    version: str
    major: str
    minor: str
    patch: str
    stable: bool

    def values(self) -> dict[str, str]:
        """The names that a pattern may use."""
        return {name: getattr(self, name) for name in ("raw", "version", "major", "minor", "patch")}


def parse_semver(text: str) -> Version | None:
    """A strict semantic version, with or without a `v`; None for anything else."""
    found = _SEMVER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or any(int(part) > _LARGEST for part in found.groups()[:3]):
        return None
    major, minor, patch, pre = found.groups()
    return Version(text, f"{major}.{minor}.{patch}" + (f"-{pre}" if pre else ""), major, minor, patch, not pre)


def parse_pep440(text: str) -> Version | None:
    """A version by PEP 440, normalised; None for anything else."""
    found = _PEP440.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    release = [str(int(part)) for part in found["release"].split(".")]
    major, minor, patch = [*release, "0", "0"][:3]
    stable = not (found["pre"] or found["post"] or found["dev"])
    return Version(text, _normal(found, ".".join(release)), major, minor, patch, stable)


def _normal(found: re.Match[str], release: str) -> str:
    parts = [f"{int(found['epoch'])}!" if int(found["epoch"] or 0) else "", release]
    if found["pre"]:
        letter = found["pre_l"].lower()
        parts.append(f"{_PRE_NAMES.get(letter, letter)}{int(found['pre_n'] or 0)}")
    if found["post"]:
        parts.append(f".post{int(found['post_1'] or found['post_2'] or 0)}")
    if found["dev"]:
        parts.append(f".dev{int(found['dev_n'] or 0)}")
    if found["local"]:
        local = (part.lower() for part in re.split(r"[._-]", found["local"]))
        parts.append("+" + ",".join(str(int(part)) if part.isdigit() else part for part in local))
    return "".join(parts)
