"""What `tidegate try` commands share: the loop that answers JSON lines, and reading a request's fields."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, TypeVar

import click

from tidegate.base.errors import InvalidInput, TidegateError, Where

Request = Mapping[str, Any]
Answer = Callable[[Request], Any]
T = TypeVar("T")
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
LONGEST_LINE = 64 * 1024 * 1024
# One request that trips over a fault of ours must not take the answers of those after it along.
OUR_FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

jsonl_option = click.option("--jsonl", is_flag=True, help="Answer JSON lines on stdin, one line each on stdout.")


def answer_lines(answer: Answer, source: BinaryIO | None = None, sink: BinaryIO | None = None) -> None:
    """Answer every line of stdin, in order. A line that is no JSON object, or too long, is answered with an error and
    makes the exit code 1: the stream itself is broken.
    """
    stdin, stdout = source or sys.stdin.buffer, sink or sys.stdout.buffer
    broken = False
    while line := stdin.readline(LONGEST_LINE):
        if not line.strip():
            continue
        try:
            request = _parse(line)
        except InvalidInput as error:
            broken = True
            reply = _failed(error)
        else:
            reply = answer_one(answer, request)
        stdout.write(json.dumps(reply, ensure_ascii=True, allow_nan=False).encode() + b"\n")
        stdout.flush()
    if broken:
        raise click.exceptions.Exit(1)


def answer_one(answer: Answer, request: Request) -> dict[str, Any]:
    """The reply to one request: `{"ok": true, "result"}` or `{"ok": false, "error"}`."""
    try:
        return {"ok": True, "result": answer(request)}
    except TidegateError as error:
        return _failed(error)
    except OUR_FAULTS as fault:
        return _failed(TidegateError(f"a fault of Tidegate's own: {type(fault).__name__}: {fault}", code="Internal"))


def field(request: Request, name: str, kind: type[T]) -> T:
    """A field of a request; InvalidInput where it is missing or of another type."""
    if name not in request:
        raise InvalidInput("is missing", where=Where(field=name))
    value = request[name]
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InvalidInput(f"must be {_WORDS[kind]}", where=Where(field=name))
    return value


def texts(request: Request, name: str) -> list[str]:
    """A field that is a list of strings."""
    values = field(request, name, list)
    if not all(isinstance(value, str) for value in values):
        raise InvalidInput("must be a list of strings", where=Where(field=name))
    return values


def optional_text(request: Request, name: str) -> str | None:
    """A string that may be missing or null, as Go's JSON reader has it: half of a surrogate pair is U+FFFD."""
    return None if request.get(name) is None else _LONE_SURROGATES.sub("\ufffd", field(request, name, str))


def tags_of(request: Request) -> list[str]:
    """The tags in `input`, as Go's JSON reader has them."""
    tags = texts(request, "input")
    return [tag if tag.isascii() else _LONE_SURROGATES.sub("\ufffd", tag) for tag in tags]


def text_from_stdin() -> str:
    """All of stdin; InvalidInput where it is longer than a line may be, or has no end."""
    text = sys.stdin.read(LONGEST_LINE + 1)
    if len(text) > LONGEST_LINE:
        raise InvalidInput(f"stdin is longer than {LONGEST_LINE} characters")
    return text


def lines_from_stdin() -> list[str]:
    """What is on stdin, one a line: tags, or files."""
    return [line.removesuffix("\r") for line in text_from_stdin().split("\n") if line]


def text_map(request: Request, name: str) -> dict[str, str]:
    """A field that maps strings to strings."""
    values = field(request, name, dict)
    if not all(isinstance(value, str) for value in values.values()):
        raise InvalidInput("must be an object of strings", where=Where(field=name))
    return values


def only(request: Request, *names: str) -> None:
    """InvalidInput where the request has a field besides these that is not null."""
    for name, value in request.items():
        if name not in names and value is not None:
            raise InvalidInput("is no field of this decision", where=Where(field=name))


def print_json(value: Any) -> None:
    """A result for people and programs: indented JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


_WORDS: dict[type, str] = {str: "a string", list: "a list", dict: "an object", bool: "true or false"}


def _parse(line: bytes) -> Request:
    if len(line) >= LONGEST_LINE:
        raise InvalidInput(f"the line is longer than {LONGEST_LINE} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the line is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput("the line is no JSON object")
    return value


def _failed(error: TidegateError) -> dict[str, Any]:
    where = str(error.where) if error.where else ""
    return {"ok": False, "error": {"code": error.code, "message": error.message, "where": where or None}}
