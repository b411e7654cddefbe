"""Renders a message in a process of its own, limited in memory and time: a template can ask for anything."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from typing import Any

from tidegate.base import process
from tidegate.base.errors import CommandFailed, InvalidInput, LimitExceeded, TidegateError
from tidegate.update.message_data import MessageChange, MessageData
from tidegate.update.objects import ObjectIdentity

MEMORY_LIMIT = 256 * 1024 * 1024
SECONDS_LIMIT = 5
ANSWER_LIMIT = 2 * 1024 * 1024


def child_argv() -> list[str]:
    """This module as a program: a request on stdin, an answer on stdout, both JSON."""
    return [sys.executable, "-I", "-m", "tidegate.update.message_child"]


async def render_in_child(template: str, data: MessageData, *, legacy: bool) -> str:
    """The message. Raises InvalidInput for a wrong template, LimitExceeded where a limit ended the child."""
    request = json.dumps({"template": template, "data": asdict(data), "legacy": legacy}).encode()
    try:
        ended = await process.run(child_argv(), stdin=request, timeout=SECONDS_LIMIT * 2, output_limit=ANSWER_LIMIT)
    except CommandFailed as error:
        raise LimitExceeded(
            f"the message template needs more than {SECONDS_LIMIT} s or {MEMORY_LIMIT >> 20} MiB",
            remedy="simplify spec.git.commit.messageTemplate",
        ) from error
    answer = json.loads(ended.stdout)
    if "message" in answer:
        return str(answer["message"])
    raise (LimitExceeded if answer["limit"] else InvalidInput)(
        answer["error"], remedy=answer["remedy"], code=answer["code"]
    )


def main() -> None:
    """Answer one request."""
    from tidegate.update.message import render_message  # noqa: PLC0415 - that module starts this one

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_LIMIT, SECONDS_LIMIT))
    request = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        message = render_message(request["template"], data_from(request["data"]), legacy=request["legacy"])
        answer = {"message": message}
    except TidegateError as error:
        limit = isinstance(error, LimitExceeded)
        answer = {"error": str(error), "remedy": error.remedy, "code": error.code, "limit": limit}
    json.dump(answer, sys.stdout)


def data_from(value: dict[str, Any]) -> MessageData:
    """The data as `render_in_child` sent it."""
    changes = tuple(
        MessageChange(**{**change, "object": ObjectIdentity(**change["object"])}) for change in value["changes"]
    )
    return MessageData(value["namespace"], value["name"], changes, value["values"])


if __name__ == "__main__":
    main()
