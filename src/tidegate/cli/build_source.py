"""Which commit a folder is of: what an image's labels say of its source, and the time that it is given."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tidegate.base.errors import InvalidInput, MissingTool, NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.clock import rfc3339
from tidegate.git import command
from tidegate.git.checkout import Checkout

EPOCH = "SOURCE_DATE_EPOCH"


@frozen
class Source:
    """`created` is in seconds since the epoch: SOURCE_DATE_EPOCH, else the commit's time, else now."""

    created: int
    labels: dict[str, str]


async def source_of(folder: Path, environment: Mapping[str, str]) -> Source:
    """The commit that a folder is of; one that has been changed since is `-dirty`. Raises InvalidInput."""
    labels: dict[str, str] = {}
    moment = int(time.time())
    try:
        checkout = await Checkout.at(folder)
        commit = await checkout.commit("HEAD")
        changed = await command.run(command.argv("-C", str(folder), "status", "--porcelain", "--", "."))
        moment = (await checkout.repository.log(commit)).time if not changed.stdout else moment
        labels["org.opencontainers.image.revision"] = commit + ("-dirty" if changed.stdout else "")
        asked = command.argv("-C", str(folder), "config", "--get", "remote.origin.url")
        url = (await command.run(asked, check=False)).text.strip()
        if url:
            labels["org.opencontainers.image.source"] = public_url(url)
    except (NotFound, InvalidInput, MissingTool):
        pass  # no repository, no commit yet, or no git: there is nothing to say
    if given := environment.get(EPOCH):
        if not (given.isascii() and given.isdigit()) or int(given) > 2**40:
            raise InvalidInput(f"{EPOCH} is no number of seconds: {given[:40]!r}")
        moment = int(given)
    labels["org.opencontainers.image.created"] = rfc3339(datetime.fromtimestamp(moment, UTC))
    return Source(moment, labels)


def public_url(url: str) -> str:
    """A remote's URL as anybody may read it: without user, password, query and `.git`."""
    if "://" not in url:
        host, colon, path = url.rpartition("@")[2].partition(":")
        return f"https://{host}/{path}".removesuffix(".git") if colon else url
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path.removesuffix(".git"), "", ""))
