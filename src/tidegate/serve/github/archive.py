"""The logs of a run as one zip archive, laid out as GitHub does it and `gh run view --log` reads it.

`<job>/<number>_<step>.txt` for each step, and `<ordinal>_<job>.txt` for each whole job, every line with its time. What
can't stand in a file's name is left out of a job's, so `build / test` is `build  test`. gh 2.23 looks for the whole
name: for its sake the steps of such a job come once more, at the end, where no search for another job meets them first.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from tidegate.base.errors import LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.runner.logs import LogPart

CHUNK = 256 * 1024
TOTAL_LIMIT = 1024 * 1024 * 1024
"""Bytes of all logs of one archive."""
IN_MEMORY = 1024 * 1024
NAME_LIMIT = 90
"""UTF-16 units of a job's or a step's name, as on GitHub: clients cut a job's name at the same place."""
_DROPPED = re.compile(r"[/:\\\x00-\x1f\x7f]")
_UNFIT = re.compile(r"[:\\\x00-\x1f\x7f]")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@frozen
class JobFile:
    """A job's log: its file, which bytes of it are whose, and the names of the steps by number."""

    name: str
    path: Path
    parts: Sequence[LogPart]
    steps: Mapping[int, str]


def file_part(name: str) -> str:
    """A job's or step's name as a part of a path in the archive."""
    units = _DROPPED.sub("", name).encode("utf-16-le", "surrogatepass")[: 2 * NAME_LIMIT]
    text = units.decode("utf-16-le", "replace").strip()
    return text if text.strip(".") else "job"


def pack(jobs: Sequence[JobFile]) -> IO[bytes]:
    """The archive, open at its beginning: in memory where it is small, else in a file without a name. Blocks.

    LimitExceeded past TOTAL_LIMIT bytes of logs.
    """
    if sum(part.end - part.start for job in jobs for part in job.parts) > TOTAL_LIMIT:
        raise LimitExceeded(f"the logs have more than {TOTAL_LIMIT} bytes", remedy="read those of one job at a time")
    target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the reader closes it
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for ordinal, (job, name) in enumerate(zip(jobs, _own_names(jobs), strict=True)):
                _add_job(archive, ordinal, job, name)
            for job in jobs:
                if file_part(job.name) != job.name and _is_path(job.name):
                    _add_steps(archive, job, job.name)
        target.seek(0)
    except BaseException:
        target.close()
        raise
    return target


def _add_job(archive: zipfile.ZipFile, ordinal: int, job: JobFile, name: str) -> None:
    with job.path.open("rb") as source:
        _add(archive, f"{ordinal}_{name}.txt", source, job.parts)
    _add_steps(archive, job, name)


def _add_steps(archive: zipfile.ZipFile, job: JobFile, folder: str) -> None:
    with job.path.open("rb") as source:
        for number in sorted({part.step for part in job.parts}):
            step = file_part(job.steps.get(number, "step"))
            own = [part for part in job.parts if part.step == number]
            _add(archive, f"{folder}/{number}_{step}.txt", source, own)


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes], parts: Sequence[LogPart]) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as target:
        for part in parts:
            for chunk in read_part(source, part.start, part.end):
                target.write(chunk)


def read_part(source: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """Bytes of an open file in pieces, as far as there are any. Blocks."""
    source.seek(start)
    while start < end and (chunk := source.read(min(CHUNK, end - start))):
        start += len(chunk)
        yield chunk


def _is_path(name: str) -> bool:
    """Whether a job's name, as it is, can be a folder in an archive that leads nowhere else."""
    return "/" in name and not _UNFIT.search(name) and all(part.strip(" .") for part in name.split("/"))


def _own_names(jobs: Sequence[JobFile]) -> list[str]:
    """A name in the archive for each job, no two alike."""
    names: list[str] = []
    for job in jobs:
        name, number = file_part(job.name), 2
        while name in names:
            name, number = f"{file_part(job.name)}{number}", number + 1
        names.append(name)
    return names
