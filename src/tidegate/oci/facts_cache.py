"""What was once read of images, by digest: content under a digest never changes, so it is read only once.

A file that may be lost: all of it can be read again, but for when an image was seen first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from tidegate.base.errors import Unavailable

MOST_FACTS = 50_000
"""Past as many, the oldest tenth is forgotten; a fact has about 150 bytes."""
_BUSY_SECONDS = 5.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS facts (subject TEXT, name TEXT, value TEXT, UNIQUE (subject, name))"

T = TypeVar("T")


class Facts(Protocol):
    """Short texts by subject (a digest, as a rule) and name."""

    def get(self, subject: str, name: str) -> str | None:
        """What was kept, or None."""
        ...

    def put(self, subject: str, name: str, value: str) -> None:
        """Keep a fact, instead of the one that was there."""
        ...


class FactsInMemory:
    """Facts for one question, as a command asks it: gone with the process."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], str] = {}

    def get(self, subject: str, name: str) -> str | None:
        """What was kept, or None."""
        return self._facts.get((subject, name))

    def put(self, subject: str, name: str, value: str) -> None:
        """Keep a fact; the oldest goes where there are too many."""
        self._facts[subject, name] = value
        if len(self._facts) > MOST_FACTS:
            del self._facts[next(iter(self._facts))]


class FactsCache:
    """Facts in the file `path`, which is made when one is kept first.

    Every call is short and on the event loop's thread. Raises Unavailable where the file can't be used.
    """

    def __init__(self, path: Path, most: int = MOST_FACTS):
        self._path = path
        self._most = most
        self._connection: sqlite3.Connection | None = None

    def get(self, subject: str, name: str) -> str | None:
        """What was kept, or None."""
        if self._connection is None and not self._path.exists():
            return None
        query = "SELECT value FROM facts WHERE subject = ? AND name = ?"
        row = self._use(lambda connection: connection.execute(query, (subject, name)).fetchone())
        return None if row is None else str(row[0])

    def put(self, subject: str, name: str, value: str) -> None:
        """Keep a fact, instead of the one that was there."""

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (subject, name, value))
            first, last = connection.execute("SELECT min(rowid), max(rowid) FROM facts").fetchone()
            if last - first >= self._most:
                connection.execute("DELETE FROM facts WHERE rowid <= ?", (first + self._most // 10,))

        self._use(keep)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it with the file, and where that is torn or another's, which may show late, once more with a new one."""
        try:
            try:
                return work(self._open())
            except sqlite3.OperationalError:  # a full disk, say
                raise
            except sqlite3.DatabaseError:  # what it had is read again
                self.close()
                for name in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                    name.unlink(missing_ok=True)
                return work(self._open())
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Unavailable(
                f"{self._path} can't be used: {error}", remedy="see whether the disk is full; the file may be removed"
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect(self._path)
        return self._connection

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            # Not worth an fsync: what a power cut takes is read again.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection
