"""How this room calls git: an argv list that trusts no configuration, an environment from nothing, one place to run.

Only protocols named in the call are allowed, no hook runs, nobody is asked anything. Messages come back redacted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed

LOCAL_TIMEOUT = 60.0
NETWORK_TIMEOUT = 60.0
# Nothing that a repository or the host configures may run a program, ask a person, or reach another place.
HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "credential.helper=",
    "protocol.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "transfer.bundleURI=false",
)
# Damage that old tools left in honest histories; forges accept these three, and so do we.
TOLERATED_FSCK = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")
_DISK_FULL = ("No space left on device", "Out of diskspace", "Disk quota exceeded")
_HEADER = re.compile(r"(?i)(authorization:\s*\w+\s+)\S+")
_USERINFO = re.compile(r"(?<=://)[^/\s@']+@")


def argv(
    *arguments: str,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    protocols: Iterable[str] = (),
    config: Iterable[str] = (),
) -> list[str]:
    """The whole command line of one git call; `config` are `key=value` settings that hold no secret."""
    settings = [*HARDENED, *(f"protocol.{name}.allow=always" for name in protocols), *config]
    command = ["git", "--no-replace-objects", "--literal-pathspecs"]
    if git_dir is not None:
        command.append(f"--git-dir={git_dir}")
    if work_tree is not None:
        command.append(f"--work-tree={work_tree}")
    for setting in settings:
        command += ["-c", setting]
    return [*command, *arguments]


def environment(
    extra: Mapping[str, str] | None = None,
    *,
    secret_config: Sequence[tuple[str, str]] = (),
    network: bool = False,
    proxies: bool = True,
) -> dict[str, str]:
    """git's environment. `secret_config` are settings that may hold secrets: they never appear on a command line.

    With `network` the host's proxy and CA settings are passed on, as the variables that git reads; without `proxies`
    those of CAs alone.
    """
    values = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
    }
    if secret_config:
        values["GIT_CONFIG_COUNT"] = str(len(secret_config))
        for number, (key, value) in enumerate(secret_config):
            values |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    if network:
        values |= _certificates()
    made = process.minimal_environment(values | dict(extra or {}), network=network)
    return made if proxies else {name: value for name, value in made.items() if not name.lower().endswith("_proxy")}


def _certificates() -> dict[str, str]:
    """git's libcurl reads only its own variables, so a CA that the host gives to others is passed under that name."""
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        if os.environ.get(name):
            return {"GIT_SSL_CAINFO": os.environ[name]}
    return {}


async def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = LOCAL_TIMEOUT,
    output_limit: int = process.DEFAULT_OUTPUT_LIMIT,
    check: bool = True,
) -> process.Completed:
    """Run one git command line made by `argv`. CommandFailed carries git's last words, without credentials."""
    try:
        return await process.run(
            command,
            stdin=stdin,
            env=environment() if env is None else env,
            timeout=timeout,
            output_limit=output_limit,
            check=check,
            package="git",
        )
    except CommandFailed as error:
        raise told(error) from None


def told(error: CommandFailed) -> CommandFailed:
    """The error in the words that git gives as its reason, which are not always its last ones, without credentials."""
    message, output = redact(error.message), redact(error.output)
    reason = next((line for line in output.splitlines() if line.startswith("fatal: ")), None)
    if error.exit_code is not None and reason is not None:
        message = f"git ended with {error.exit_code}: {reason}"
    full = any(word in output for word in _DISK_FULL)
    remedy = "free some space on the disk of the home" if full else error.remedy
    return CommandFailed(message, exit_code=error.exit_code, output=output, remedy=remedy)


def redact(text: str) -> str:
    """git's words without the credentials that a URL or a header in them may hold."""
    return _HEADER.sub(r"\1***", _USERINFO.sub("***@", text))
