"""The SQLite file below the store: its tables, one write transaction at a time.

Knows rows and JSON, nothing of what objects mean. Every call is short and runs on the event loop's thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tidegate.base.errors import InvalidInput, Unavailable
from tidegate.base.frozen import frozen
from tidegate.kinds.objects import Object, ObjectKey

FORMAT = 1
BUSY_SECONDS = 5.0
PAGES_KEPT_KIB = 256
PAGE_BYTES = 256 * 1024
_SCHEMA = """
CREATE TABLE objects (
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, resource_version INTEGER NOT NULL, data TEXT NOT NULL,
    UNIQUE (api_group, kind, namespace, name)
);
CREATE INDEX objects_by_uid ON objects (uid);
CREATE INDEX objects_by_namespace ON objects (namespace);
CREATE TABLE kinds (
    api_group TEXT NOT NULL, kind TEXT NOT NULL, version TEXT NOT NULL, namespaced INTEGER NOT NULL,
    PRIMARY KEY (api_group, kind, version)
) WITHOUT ROWID;
CREATE TABLE changes (
    resource_version INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL,
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, labels_before TEXT, data TEXT NOT NULL
);
CREATE INDEX changes_by_kind ON changes (api_group, kind, resource_version);
CREATE TABLE owners (
    owner_uid TEXT NOT NULL,
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (owner_uid, api_group, kind, namespace, name)
) WITHOUT ROWID;
CREATE INDEX owners_by_key ON owners (api_group, kind, namespace, name);
CREATE TABLE garbage (sort TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (sort, mark)) WITHOUT ROWID;
"""
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_KEY = "api_group = ? AND kind = ? AND namespace = ? AND name = ?"


@frozen
class Change:
    """A line of the history: `labels_before` are the labels that the object had until then (None: it is new)."""

    resource_version: int
    type: str
    object: Object
    labels_before: Mapping[str, str] | None


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create the file. InvalidInput where it is no store, or a newer Tidegate wrote it."""
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect(path)
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise unavailable(error) from error
        remedy = "move it away; what manifests say comes back with the next reconciliation"
        raise InvalidInput(f"{path} is not a store: {error}", remedy=remedy) from error
    except InvalidInput:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection for this process; transactions are begun and ended by hand."""
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > FORMAT:
        raise InvalidInput(
            f"{path} was written by a newer Tidegate: its format is {found}, this one reads up to {FORMAT}",
            remedy="install that version again, or give another --home",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    # What is read often is in the kernel's cache anyway; SQLite's own would hold it once more, 2 MB of it.
    connection.execute(f"PRAGMA cache_size = -{PAGES_KEPT_KIB}")
    # Checkpoints wait for the disk, so they run in a thread (see SqliteStore), not inside a write.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    if found == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")


def unavailable(error: sqlite3.Error) -> Unavailable:
    """What a failing disk means for whoever wrote."""
    return Unavailable(f"the store can't be used: {error}", remedy="see that the home's disk has room and is writable")


class Tables:
    """Rows in and out over one connection."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection
        self._latest = self._last_version()
        self.touched: set[tuple[str, str]] = set()
        """Group and kind of whatever was written since somebody last cleared this."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside become durable together, or none. Unavailable where the disk refuses."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._latest = self._last_version()
                raise
        except sqlite3.OperationalError as error:
            raise unavailable(error) from error

    def read(self, key: ObjectKey) -> Object | None:
        """The stored object."""
        query = f"SELECT resource_version, data FROM objects WHERE {_KEY}"  # noqa: S608 - a constant of this module
        row = self._connection.execute(query, _row_key(key)).fetchone()
        return None if row is None else _object(*row)

    def page(
        self, group: str, kind: str, namespace: str | None, after: tuple[str, str] | None, limit: int
    ) -> tuple[list[tuple[tuple[str, str], Object]], bool]:
        """Objects by namespace and name, after a place, each with its place; and whether there may be more of them.
        Fewer than `limit` where they are large.
        """
        query = "SELECT namespace, name, resource_version, data FROM objects WHERE api_group = ? AND kind = ?"
        values: list[object] = [group, kind]
        if namespace is not None:
            query += " AND namespace = ?"
            values.append(namespace)
        if after is not None:
            query += " AND (namespace, name) > (?, ?)"
            values += after
        query += " ORDER BY namespace, name LIMIT ?"
        rows, cut = _bounded(self._connection.execute(query, [*values, limit]))
        found = [((row[0], row[1]), _object(row[2], row[3])) for row in rows]
        return found, cut or len(found) == limit

    def is_stored(self, uid: str) -> bool:
        """Whether an object of that uid is there."""
        return self._connection.execute("SELECT 1 FROM objects WHERE uid = ?", (uid,)).fetchone() is not None

    def in_namespace(self, namespace: str, after: int, limit: int) -> list[tuple[int, ObjectKey]]:
        """Keys of whatever lies in a namespace, each with its place."""
        query = (
            "SELECT rowid, api_group, kind, namespace, name FROM objects "
            "WHERE namespace = ? AND rowid > ? ORDER BY rowid LIMIT ?"
        )
        rows = self._connection.execute(query, (namespace, after, limit)).fetchall()
        return [(row[0], ObjectKey(*row[1:])) for row in rows]

    def write(self, key: ObjectKey, obj: Object, *, before: Object | None) -> Object:
        """Store an object and its change; the answer carries its new resource version."""
        data = _text(obj)
        version = self._change("ADDED" if before is None else "MODIFIED", key, data, before)
        query = (
            "INSERT INTO objects (api_group, kind, namespace, name, uid, resource_version, data) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (api_group, kind, namespace, name) DO UPDATE SET "
            "resource_version = excluded.resource_version, data = excluded.data"
        )
        self._connection.execute(query, (*_row_key(key), str(obj["metadata"]["uid"]), version, data))
        if before is None or before["apiVersion"] != obj["apiVersion"]:
            self._note_kind(key, obj)
        if (() if before is None else _owner_uids(before)) != _owner_uids(obj):
            self._note_owners(key, _owner_uids(obj))
        return _in_version(version, obj)

    def remove(self, key: ObjectKey, obj: Object) -> Object:
        """Drop an object; the change holds its last state."""
        version = self._change("DELETED", key, _text(obj), obj)
        self._connection.execute(f"DELETE FROM objects WHERE {_KEY}", _row_key(key))  # noqa: S608 - a constant
        self._note_owners(key, ())
        return _in_version(version, obj)

    def _change(self, sort: str, key: ObjectKey, data: str, before: Object | None) -> int:
        labels = None if before is None else json.dumps(before["metadata"].get("labels") or {})
        query = (
            "INSERT INTO changes (type, api_group, kind, namespace, labels_before, data) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING resource_version"
        )
        row = (sort, key.group, key.kind, key.namespace, labels, data)
        self.touched.add((key.group, key.kind))
        self._latest = int(self._connection.execute(query, row).fetchone()[0])
        return self._latest

    def _note_kind(self, key: ObjectKey, obj: Object) -> None:
        version = str(obj["apiVersion"]).rpartition("/")[2]
        row = (key.group, key.kind, version, int(bool(key.namespace)))
        self._connection.execute("INSERT OR IGNORE INTO kinds VALUES (?, ?, ?, ?)", row)

    def kinds(self) -> list[tuple[str, str, str, bool]]:
        """Group, kind, version and whether namespaced, of each kind that has objects now."""
        query = (
            "SELECT api_group, kind, version, namespaced FROM kinds AS k WHERE EXISTS "
            "(SELECT 1 FROM objects AS o WHERE o.api_group = k.api_group AND o.kind = k.kind)"
        )
        return [(row[0], row[1], row[2], bool(row[3])) for row in self._connection.execute(query)]

    def _note_owners(self, key: ObjectKey, uids: tuple[str, ...]) -> None:
        self._connection.execute(f"DELETE FROM owners WHERE {_KEY}", _row_key(key))  # noqa: S608 - a constant
        rows = [(uid, *_row_key(key)) for uid in uids]
        self._connection.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?, ?, ?, ?)", rows)

    def owned_by(self, uid: str, limit: int) -> list[ObjectKey]:
        """Keys of objects that name `uid` as an owner."""
        query = "SELECT api_group, kind, namespace, name FROM owners WHERE owner_uid = ? LIMIT ?"
        return [ObjectKey(*row) for row in self._connection.execute(query, (uid, limit))]

    def drop_owner(self, uid: str, key: ObjectKey) -> None:
        """Forget that `key` has the owner `uid`."""
        query = f"DELETE FROM owners WHERE owner_uid = ? AND {_KEY}"  # noqa: S608 - a constant of this module
        self._connection.execute(query, (uid, *_row_key(key)))

    def add_garbage(self, sort: str, mark: str) -> None:
        """Note something to be swept, so that a crash can't forget it."""
        self._connection.execute("INSERT OR IGNORE INTO garbage VALUES (?, ?)", (sort, mark))

    def garbage(self) -> list[tuple[str, str]]:
        """What is to be swept."""
        return [(row[0], row[1]) for row in self._connection.execute("SELECT sort, mark FROM garbage")]

    def drop_garbage(self, sort: str, mark: str) -> None:
        """Say that it was swept."""
        self._connection.execute("DELETE FROM garbage WHERE sort = ? AND mark = ?", (sort, mark))

    def latest(self) -> int:
        """The newest resource version; nobody else writes it."""
        return self._latest

    def _last_version(self) -> int:
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
        return int(row[0]) if row else 0

    def oldest_watchable(self) -> int:
        """The oldest resource version after which no change was trimmed."""
        row = self._connection.execute("SELECT min(resource_version) FROM changes").fetchone()
        return self.latest() if row[0] is None else int(row[0]) - 1

    def changes_after(
        self, group: str, kind: str, namespace: str | None, version: int, limit: int
    ) -> tuple[list[Change], bool]:
        """The next changes of a kind, and whether there may be more; fewer than `limit` where they are large."""
        query = (
            "SELECT resource_version, type, labels_before, data FROM changes "
            "WHERE api_group = ? AND kind = ? AND resource_version > ?"
        )
        values: list[object] = [group, kind, version]
        if namespace is not None:
            query += " AND namespace = ?"
            values.append(namespace)
        rows, cut = _bounded(self._connection.execute(f"{query} ORDER BY resource_version LIMIT ?", [*values, limit]))
        found = [Change(row[0], row[1], _object(row[0], row[3]), _labels(row[2])) for row in rows]
        return found, cut or len(found) == limit

    def trim(self, keep: int, batch: int) -> None:
        """Drop the oldest changes but `keep`, at most `batch` at a time."""
        end = self.latest() - keep
        query = (
            "DELETE FROM changes WHERE resource_version IN "
            "(SELECT resource_version FROM changes WHERE resource_version <= ? ORDER BY resource_version LIMIT ?)"
        )
        self._connection.execute(query, (end, batch))


def checkpoint(path: Path) -> None:
    """Move what the write-ahead log holds into the file. Waits for the disk: call it in a thread."""
    with contextlib.closing(connect(path)) as connection, contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _bounded(cursor: sqlite3.Cursor) -> tuple[list[Any], bool]:
    """The rows up to PAGE_BYTES of their last column, one at least, and whether that cut them off: many large objects
    at once take too much time and memory.
    """
    rows, size = [], 0
    for row in cursor:
        rows.append(row)
        size += len(row[-1])
        if size >= PAGE_BYTES:
            cursor.close()
            return rows, True
    return rows, False


def _row_key(key: ObjectKey) -> tuple[str, str, str, str]:
    return (key.group, key.kind, key.namespace, key.name)


def _owner_uids(obj: Object) -> tuple[str, ...]:
    owners = obj["metadata"].get("ownerReferences") or []
    return tuple(str(owner.get("uid")) for owner in owners if isinstance(owner, dict))


def _text(obj: Object) -> str:
    """The stored form. The resource version is its row's, since SQLite gives it while writing."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return _encode(obj | {"metadata": metadata})


def _object(version: int, data: str) -> Object:
    obj: Object = json.loads(data)
    obj["metadata"]["resourceVersion"] = str(version)
    return obj


def _in_version(version: int, obj: Object) -> Object:
    return obj | {"metadata": obj["metadata"] | {"resourceVersion": str(version)}}


def _labels(text: str | None) -> Any:
    return None if text is None else json.loads(text)
