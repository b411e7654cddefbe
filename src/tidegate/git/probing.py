"""What a remote lets a credential do, found out without changing anything there.

A host decides who may write when a push begins, before anything is sent, so a dry run gets its answer. What protected
branches and hooks say is known only when commits arrive.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.base.errors import CommandFailed
from tidegate.base.frozen import frozen
from tidegate.git import command
from tidegate.git.deploy_key import SshPlace, fingerprints, key_fingerprint, scan_host, short_fingerprint
from tidegate.git.mirror import explain_push
from tidegate.git.remote import Credentials, Remote, access, pushing
from tidegate.git.repository import Repository
from tidegate.git.values import Signature
from tidegate.git.words import without_secrets

UNUSED = "refs/heads/tidegate-check"
_NOBODY = Signature("Tidegate", "check@tidegate.invalid")


@frozen
class HostKeys:
    """The fingerprints (`SHA256:… (TYPE)`) that a host shows, and those that are to be believed."""

    shown: tuple[str, ...]
    believed: tuple[str, ...]

    @property
    def agree(self) -> tuple[str, ...]:
        """Those that are both."""
        return tuple(one for one in self.shown if one in self.believed)


def dry_push_argv(git_dir: Path, url: str, commit: str, protocols: Iterable[str], config: Iterable[str]) -> list[str]:
    """Begin to push a commit to a branch that nobody uses, and stop before anything is sent."""
    return command.argv(
        "push", "--dry-run", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no", *pushing(url),
        "--end-of-options", url, f"+{commit}:{UNUSED}", git_dir=git_dir, protocols=protocols, config=config,
    )  # fmt: skip


async def may_push(remote: Remote, *, timeout: float = command.NETWORK_TIMEOUT) -> None:
    """Return where the host lets this credential begin to push; raises Denied, NotFound, Unavailable as a push does."""
    with tempfile.TemporaryDirectory(prefix="tidegate-check-") as folder:
        repository = Repository(Path(folder) / "check.git")
        await repository.init()
        commit = await repository.write_commit(None, {}, author=_NOBODY, message="This is never sent", time=0)
        with access(remote) as way:
            argv = dry_push_argv(repository.path, remote.url, commit, way.protocols, way.config)
            try:
                await command.run(argv, env=way.env, timeout=timeout)
            except CommandFailed as error:
                said = without_secrets(error, remote.credentials)
                raise explain_push(said, remote.url, UNUSED.removeprefix("refs/heads/")) from None


async def host_keys(place: SshPlace, credentials: Credentials) -> HostKeys:
    """What a host shows of itself now, and what the Secret's known_hosts believes. Raises Unavailable, InvalidInput."""
    believed = await fingerprints(credentials.known_hosts) if credentials.known_hosts else []
    shown = await fingerprints(await scan_host(place))
    return HostKeys(tuple(map(short_fingerprint, shown)), tuple(map(short_fingerprint, believed)))


async def described(credentials: Credentials | None) -> str:
    """A credential as it may be shown: of which kind it is, never what is in it; and the proxy, if there is one."""
    if credentials is None:
        return "none"
    if credentials.proxy:
        host = urlsplit(credentials.proxy).hostname
        return f"{await described(replace(credentials, proxy=''))}, through the proxy {host}"
    if credentials.identity:
        return f"ssh key {await key_fingerprint(credentials.identity)}"
    if credentials.bearer_token:
        return "bearer token"
    if credentials.username or credentials.password:
        return f"password of the user {credentials.username!r}"
    return "client certificate" if credentials.client_certificate else "none"
