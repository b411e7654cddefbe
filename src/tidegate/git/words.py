"""What a remote says (its hooks, its rules) as it may be shown: without our credentials, control characters and length.

A remote's words end in conditions and events, which more people read than may read the Secret. Pure.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tidegate.base.errors import CommandFailed
from tidegate.base.showing import without_escapes

if TYPE_CHECKING:
    from tidegate.git.remote import Credentials

SAID_LIMIT = 1000
SHORTEST_SECRET = 4
_OWN = ("To ", " ! ", "error: ", "fatal: ", "warning: ", "hint: ")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def said_by_remote(output: str) -> str:
    """The lines that git shows as `remote: …`, in one, the last SAID_LIMIT characters; empty where there is none."""
    first, *rest = output.split("\n")
    # Of long words only the end is kept, so the first line may have lost its beginning.
    lines = [] if first.startswith(_OWN) else [_plain(first.removeprefix("remote:"))]
    lines += [_plain(line.removeprefix("remote:")) for line in rest if line.startswith("remote:")]
    said = " ".join(filter(None, lines))
    return said if len(said) <= SAID_LIMIT else f"…{said[-SAID_LIMIT:]}"


def plain(line: str) -> str:
    """One of git's lines, in which a remote may have had its say: the first SAID_LIMIT characters, none a control."""
    said = _plain(line)
    return said if len(said) <= SAID_LIMIT else f"{said[:SAID_LIMIT]}…"


def without_secrets(error: CommandFailed, credentials: Credentials | None) -> CommandFailed:
    """The error with every secret of a credential replaced, however the remote has come to repeat it."""
    hidden = secrets_of(credentials)
    message, output = _hidden(error.message, hidden), _hidden(error.output, hidden)
    return CommandFailed(message, exit_code=error.exit_code, output=output, remedy=error.remedy)


def secrets_of(credentials: Credentials | None) -> list[str]:
    """The texts of a credential that nobody may see, the longest first."""
    if credentials is None:
        return []
    header = credentials.header() or ""
    texts = {credentials.password, credentials.bearer_token, header.rpartition(" ")[2]}
    texts.update(_of_proxy(credentials.proxy))
    return sorted((text for text in texts if len(text) >= SHORTEST_SECRET), key=len, reverse=True)


def _of_proxy(url: str) -> set[str]:
    """A proxy's password, as its URL has it, as it is, and as it is sent."""
    login = urlsplit(url).netloc.rpartition("@")[0]
    if not login:
        return set()
    password, pair = login.partition(":")[2], unquote(login)
    return {password, unquote(password), base64.b64encode(pair.encode()).decode("ascii")}


def _plain(line: str) -> str:
    return " ".join(_CONTROL.sub("", without_escapes(line)).split())


def _hidden(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
