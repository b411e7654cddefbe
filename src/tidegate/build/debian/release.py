"""A suite's index of indexes, as `signature.py` has found it signed: its dates, and the files it vouches for. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_HASH_LINE = re.compile(r" ([0-9a-f]{64}) +([0-9]+) (\S+)", re.ASCII)


@frozen
class IndexFile:
    """A file that a Release vouches for."""

    path: str
    sha256: str
    size: int


@frozen
class Release:
    """What a verified Release says: its date, when it lapses, and the files below it."""

    codename: str
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    files: dict[str, IndexFile]

    def packages(self, component: str, architecture: str) -> IndexFile:
        """The xz-compressed package index of a component. Raises InvalidInput where the suite has none."""
        path = f"{component}/binary-{architecture}/Packages.xz"
        if path not in self.files:
            raise InvalidInput(f"the suite {self.codename} has no packages for {architecture}")
        return self.files[path]


def parse_release(text: str) -> Release:
    """Read a Release's fields. Raises InvalidInput where one that counts is missing."""
    fields = dict(re.findall(r"^([A-Za-z0-9-]+): +(.*)$", text, re.MULTILINE))
    block = re.search(r"^SHA256:\s*\n((?: .*\n?)+)", text, re.MULTILINE)
    if block is None or "Date" not in fields or "Codename" not in fields:
        raise InvalidInput("a Release without Codename, Date or SHA256 can't be used")
    files = {match[3]: IndexFile(match[3], match[1], int(match[2])) for match in _HASH_LINE.finditer(block[1])}
    until = fields.get("Valid-Until")
    return Release(
        fields["Codename"],
        _date(fields["Date"]),
        _date(until) if until else None,
        fields.get("Acquire-By-Hash", "").strip() == "yes",
        files,
    )


def _date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError as error:
        raise InvalidInput(f"a Release has the date {text!r}, which can't be read") from error
