"""The files through which a step talks to its job: GITHUB_OUTPUT, GITHUB_ENV, GITHUB_STATE, GITHUB_PATH and
GITHUB_STEP_SUMMARY, by the runner's rules. Reads text; opens nothing.
"""

from __future__ import annotations

import re

from tidegate.base.errors import InvalidInput, LimitExceeded

SUMMARY_LIMIT = 1024 * 1024
OUTPUTS_LIMIT = 1024 * 1024
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_NO_NAME = "write NAME=VALUE, or NAME<<DELIMITER, the value's lines, and DELIMITER on a line of its own"


def parse_values(text: str, file: str) -> dict[str, str]:
    """The values that a step wrote to GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE; of one name the last counts.

    `NAME=VALUE` on a line, or `NAME<<DELIMITER`, lines, `DELIMITER`; empty lines are skipped, a byte order mark too.
    `file` is the variable's name, for errors. Raises InvalidInput for anything else; LimitExceeded past 1 MiB in all.
    """
    if len(text) > OUTPUTS_LIMIT:
        raise LimitExceeded(f"a step wrote more than {OUTPUTS_LIMIT} characters to ${file}")
    text = text.removeprefix("\ufeff")
    values: dict[str, str] = {}
    place = 0
    while place < len(text):
        line, place = _line(text, place)
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = line[:equals], line[equals + 1 :]
        elif heredoc >= 0:
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            if not delimiter:
                raise _invalid(file, line, "the delimiter is empty")
            value, place = _until(text, place, delimiter, file)
        else:
            raise _invalid(file, line, "there is neither = nor <<")
        if not name:
            raise _invalid(file, line, "the name is empty")
        values[name] = value
    return values


def _line(text: str, place: int) -> tuple[str, int]:
    found = _LINE.match(text, place)
    assert found is not None
    return found[1], found.end()


def _until(text: str, place: int, delimiter: str, file: str) -> tuple[str, int]:
    """A heredoc's value, its inner line ends as written, and the place after its delimiter."""
    start = end = place
    while place < len(text):
        before = place
        line, place = _line(text, place)
        if line == delimiter:
            return text[start:end], place
        end = before + len(line)
    raise InvalidInput(f"${file}: the delimiter {delimiter!r} is not found", remedy=_NO_NAME)


def _invalid(file: str, line: str, why: str) -> InvalidInput:
    return InvalidInput(f"${file}: {why} in the line {line[:80]!r}", remedy=_NO_NAME)


def parse_environment(text: str) -> dict[str, str]:
    """The variables that a step wrote to GITHUB_ENV. Raises InvalidInput for NODE_OPTIONS, as the runner does."""
    values = parse_values(text, "GITHUB_ENV")
    if any(name.upper() == "NODE_OPTIONS" for name in values):
        raise InvalidInput("NODE_OPTIONS cannot be set through $GITHUB_ENV", remedy="set it in the `env:` of a step")
    return values


def parse_paths(text: str) -> list[str]:
    """The folders that a step wrote to GITHUB_PATH, the one that comes first in PATH first."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")) if line]
    return list(dict.fromkeys(reversed(lines)))


def check_summary(size: int) -> None:
    """Refuse a step's summary (in bytes) that is larger than GitHub takes. Raises LimitExceeded."""
    if size > SUMMARY_LIMIT:
        raise LimitExceeded(
            f"the step's summary has {size} bytes; {SUMMARY_LIMIT} are the most",
            remedy="write less to $GITHUB_STEP_SUMMARY, or upload it as an artifact",
        )
