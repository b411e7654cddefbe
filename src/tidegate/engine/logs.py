"""The controllers' logs: one file each, JSON lines as Flux's controllers write them, bounded, read by the doors."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tidegate.kinds.objects import ObjectKey, group_of

FILE_LIMIT = 2 * 1024 * 1024
PREFIX = "tidegate."


class JsonLines(logging.Formatter):
    """`{"level":"info","ts":…,"msg":…,"controller":…,"controllerKind":…,"name":…,"namespace":…}`, one line for each
    record. The object that it tells of, its `extra`'s `object` (a reference as an event has it, or a key), stands in
    the fields by which `flux logs` finds it.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, object] = {
            "level": record.levelname.lower(),
            "ts": moment,
            "msg": record.getMessage(),
            "controller": record.name.removeprefix(PREFIX),
        }
        line |= _about(getattr(record, "object", None))
        if (reason := getattr(record, "reason", None)) is not None:
            line["reason"] = reason
        if record.exc_info:
            line["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _about(told: object) -> dict[str, object]:
    if isinstance(told, ObjectKey):
        values: tuple[str, ...] = (told.group, told.kind, told.namespace, told.name)
    elif isinstance(told, Mapping):
        group = group_of(str(told.get("apiVersion") or ""))
        values = (group, *(str(told.get(field) or "") for field in ("kind", "namespace", "name")))
    else:
        return {}
    fields = ("controllerGroup", "controllerKind", "namespace", "name")
    return {field: value for field, value in zip(fields, values, strict=True) if value}


class _File(logging.handlers.RotatingFileHandler):
    """Drops a line that the disk does not take: there is no better place for saying so than the objects' conditions."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class ControllerLogs:
    """Log files below `root`; `start` sends what the named controllers log there."""

    def __init__(self, root: Path):
        self._root = root

    def start(self, names: list[str]) -> None:
        """Open a file for each controller and send its logger's records to it."""
        self._root.mkdir(parents=True, exist_ok=True)
        for name in names:
            handler = _File(self.path(name), maxBytes=FILE_LIMIT, backupCount=1)
            handler.setFormatter(JsonLines())
            logger = logging.getLogger(PREFIX + name)
            logger.setLevel(logging.INFO)
            logger.addHandler(handler)

    def stop(self, names: list[str]) -> None:
        """Close the files."""
        for name in names:
            logger = logging.getLogger(PREFIX + name)
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
                handler.close()

    def path(self, name: str) -> Path:
        """The file in which a controller's present log is."""
        return self._root / f"{name}.log"

    def lines(self, name: str) -> Iterator[str]:
        """All lines that are kept of a controller, oldest first."""
        for path in (self.path(name).with_name(f"{name}.log.1"), self.path(name)):
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as file:
                    for line in file:
                        yield line.rstrip("\n")
