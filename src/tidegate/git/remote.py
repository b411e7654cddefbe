"""A repository elsewhere: which URLs are allowed, and how a credential reaches git without being shown.

Credentials travel in the environment of the child or in files of mode 0600 that go with the call, never in a URL or on
a command line, and no redirect carries them. Nothing here is retried: the engine's backoff does that.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.base.errors import CommandFailed, Conflict, Denied, InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.private import private_folder, write_private
from tidegate.git import command
from tidegate.git.names import check_ref
from tidegate.git.words import plain, without_secrets

HEADER_LIMIT = 64 * 1024
REFS_LIMIT = 32 * 1024 * 1024
STALLED_BELOW = 1000
STALLED_AFTER = 30
CONNECT_TIMEOUT = 15
# For a repository on this disk git starts the other side itself, without our settings: whoever owns the files, and
# without their hooks. These words go through a shell, so nothing of them comes from data.
FILE_UPLOAD_PACK = "--upload-pack=git -c safe.directory='*' upload-pack"
FILE_RECEIVE_PACK = "--receive-pack=git -c safe.directory='*' -c core.hooksPath=/dev/null receive-pack"
_PLAIN_URL = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*|[0-9A-Fa-f:.]+")
_SSH_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


@frozen
class Credentials:
    """What a Secret of a GitRepository holds: user name and password, or a bearer token, or an ssh identity with the
    host keys to believe; a CA, and a certificate of the client with its key. `proxy` is the URL of the proxy through
    which the remote is reached, with its user and password. Never shown: none of it is in `repr`.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    identity: bytes = field(default=b"", repr=False)
    known_hosts: bytes = field(default=b"", repr=False)
    ca_file: bytes = field(default=b"", repr=False)
    client_certificate: bytes = field(default=b"", repr=False)
    client_key: bytes = field(default=b"", repr=False)
    proxy: str = field(default="", repr=False)

    def header(self) -> str | None:
        """The HTTP header that carries it; InvalidInput where a line break would start another one, or
        where it is longer than HEADER_LIMIT.
        """
        if self.bearer_token:
            value = f"Bearer {self.bearer_token}"
        elif self.username or self.password:
            pair = f"{self.username}:{self.password}".encode()
            value = f"Basic {base64.b64encode(pair).decode('ascii')}"
        else:
            return None
        if not value.isprintable():
            raise InvalidInput("the bearer token of a Git credential holds a control character")
        if len(value.encode()) > HEADER_LIMIT:  # it reaches git as one variable, of which Linux takes 128 KiB
            raise InvalidInput(
                f"the password or token of a Git credential is longer than {HEADER_LIMIT} bytes",
                remedy="look at the Secret that secretRef names: it holds something else",
            )
        return f"Authorization: {value}"


@frozen
class Remote:
    """A URL and how it may be reached. `http` is allowed to loopback, elsewhere only with `allow_http`; `file` only
    below one of `file_roots`; `ssh` only with known hosts.
    """

    url: str
    credentials: Credentials | None = None
    allow_http: bool = False
    file_roots: tuple[Path, ...] = ()

    @property
    def protocol(self) -> str:
        """The URL's protocol as git names it; InvalidInput where this remote is not allowed."""
        return check_url(self.url, allow_http=self.allow_http, file_roots=self.file_roots)


def check_url(url: str, *, allow_http: bool = False, file_roots: Sequence[Path] = ()) -> str:
    """The protocol of a URL that may be reached; InvalidInput says why it may not."""
    shown = command.redact(url)
    if not _PLAIN_URL.fullmatch(url):
        raise InvalidInput(f"{shown!r} is no URL: it holds blanks, control or non-ASCII characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"{shown!r} is no URL: {error}") from None
    if parts.scheme == "file":
        return _check_file(shown, host, parts.path, file_roots)
    if parts.scheme not in ("https", "http", "ssh") or "://" not in url:
        raise InvalidInput(
            f"{shown!r} is no URL of a Git repository that is allowed here",
            remedy="write https://HOST/PATH or ssh://git@HOST/PATH (not git@HOST:PATH)",
        )
    if not _HOST.fullmatch(host) or parts.query or parts.fragment:
        raise InvalidInput(f"{shown!r} is no URL of a Git repository: it needs a host, and no query or fragment")
    if parts.scheme == "ssh":
        _check_ssh_user(shown, parts.username, parts.password)
    elif parts.username is not None or parts.password is not None:
        raise InvalidInput(f"{shown!r} holds a credential", remedy="put it into the Secret that secretRef names")
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        raise InvalidInput(f"{shown!r} would send everything in the clear", remedy="use https, or allow http")
    return parts.scheme


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_ssh_user(shown: str, username: str | None, password: str | None) -> None:
    if password is not None or not _SSH_USER.fullmatch(username or "git"):
        raise InvalidInput(f"{shown!r} may hold a user's name before the host, and no password")


def _check_file(shown: str, host: str, path: str, roots: Sequence[Path]) -> str:
    target = Path(path)
    if host or not target.is_absolute():
        raise InvalidInput(f"{shown!r} is no path on this machine", remedy="write file:///PATH")
    resolved = target.resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise InvalidInput(f"{shown!r} is not below a folder that is allowed for file:// sources")
    return "file"


@frozen
class Access:
    """How one call reaches a remote: allowed protocols, settings without secrets, and the child's environment."""

    protocols: tuple[str, ...]
    config: tuple[str, ...]
    env: dict[str, str] = field(repr=False)


@contextmanager
def access(remote: Remote) -> Iterator[Access]:
    """The access to a remote; key, host key and CA files live as long as the context."""
    protocol = remote.protocol
    credentials = remote.credentials or Credentials()
    with private_folder() as folder:
        extra: dict[str, str] = {}
        secret: list[tuple[str, str]] = []
        if protocol == "ssh":
            extra = _ssh_environment(remote.url, credentials, folder)
        elif protocol in ("http", "https"):
            secret = http_secrets(remote.url, credentials)
            if credentials.ca_file:
                extra["GIT_SSL_CAINFO"] = str(write_private(folder / "ca.crt", credentials.ca_file))
            extra |= _client_certificate(credentials, folder)
        config = http_config(has_secret=bool(secret) or "GIT_SSL_CERT" in extra)
        network = protocol != "file" and not is_loopback(urlsplit(remote.url).hostname or "")
        if credentials.proxy and protocol != "file":
            secret.append(("http.proxy", credentials.proxy))
        env = command.environment(extra, secret_config=secret, network=network, proxies=not credentials.proxy)
        yield Access((protocol,), config, env | extra)


def _client_certificate(credentials: Credentials, folder: Path) -> dict[str, str]:
    if not credentials.client_certificate and not credentials.client_key:
        return {}
    if not credentials.client_certificate or not credentials.client_key:
        raise InvalidInput(
            "a Git credential has only one of `tls.crt` and `tls.key`", remedy="put both into the Secret, or neither"
        )
    return {
        "GIT_SSL_CERT": str(write_private(folder / "tls.crt", credentials.client_certificate)),
        "GIT_SSL_KEY": str(write_private(folder / "tls.key", credentials.client_key)),
    }


def http_config(*, has_secret: bool) -> tuple[str, ...]:
    """A transfer that stalls is given up, and a redirect is not followed with a credential."""
    return (
        f"http.lowSpeedLimit={STALLED_BELOW}",
        f"http.lowSpeedTime={STALLED_AFTER}",
        f"http.followRedirects={'false' if has_secret else 'initial'}",
    )


def http_secrets(url: str, credentials: Credentials) -> list[tuple[str, str]]:
    """The setting that sends the credential, for this URL's host alone."""
    header = credentials.header()
    if header is None:
        return []
    parts = urlsplit(url)
    return [(f"http.{parts.scheme}://{parts.netloc}/.extraHeader", header)]


def ssh_command(identity: Path, known_hosts: Path) -> str:
    """GIT_SSH_COMMAND: no user configuration, this key and these host keys only, nobody asked anything."""
    options = (
        "IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey", "BatchMode=yes",
        "StrictHostKeyChecking=yes", f'UserKnownHostsFile="{known_hosts}"', "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no", "ForwardAgent=no", "ClearAllForwardings=yes", "PermitLocalCommand=no",
        f"ConnectTimeout={CONNECT_TIMEOUT}", "ServerAliveInterval=15", "ServerAliveCountMax=2",
    )  # fmt: skip
    words = ["ssh", "-F", "none", "-i", str(identity)]
    for option in options:
        words += ["-o", option]
    return shlex.join(words)


def _ssh_environment(url: str, credentials: Credentials, folder: Path) -> dict[str, str]:
    if credentials.proxy:
        raise InvalidInput(f"{url} is not reached through a proxy: spec.proxySecretRef is for http and https alone")
    if not credentials.identity or not credentials.known_hosts:
        raise InvalidInput(
            f"{url} needs a Secret with `identity` and `known_hosts`",
            remedy="name it in spec.secretRef; `ssh-keyscan HOST` prints what known_hosts holds",
        )
    identity = write_private(folder / "identity", credentials.identity.rstrip(b"\n") + b"\n")
    known_hosts = write_private(folder / "known_hosts", credentials.known_hosts)
    return {"GIT_SSH_COMMAND": ssh_command(identity, known_hosts), "GIT_SSH_VARIANT": "ssh"}


def ls_remote_argv(url: str, refs: Iterable[str], protocols: Iterable[str], config: Iterable[str]) -> list[str]:
    """Ask a remote for some refs (`HEAD` among them allowed), or for all."""
    wanted = [ref if ref == "HEAD" else check_ref(ref) for ref in refs]
    peeled = [f"{ref}^{{}}" for ref in wanted if ref.startswith("refs/tags/")]
    return command.argv(
        "ls-remote", "--quiet", *fetching(url), "--end-of-options", url, *wanted, *peeled,
        protocols=protocols, config=config,
    )  # fmt: skip


def fetching(url: str) -> list[str]:
    """The option with which a repository on this disk is read."""
    return [FILE_UPLOAD_PACK] if url.startswith("file:") else []


def pushing(url: str) -> list[str]:
    """The option with which a repository on this disk is pushed to."""
    return [FILE_RECEIVE_PACK] if url.startswith("file:") else []


async def ls_remote(
    remote: Remote, refs: Sequence[str] = (), *, timeout: float = command.NETWORK_TIMEOUT
) -> dict[str, str]:
    """The refs of a remote with their commits (an annotated tag stands for the commit behind it): those asked for
    that exist, or all. Raises Denied, NotFound, Unavailable.
    """
    with access(remote) as way:
        argv = ls_remote_argv(remote.url, refs, way.protocols, way.config)
        try:
            listed = await command.run(argv, env=way.env, timeout=timeout, output_limit=REFS_LIMIT)
        except CommandFailed as error:
            raise explain(without_secrets(error, remote.credentials), remote.url) from None
    found = parse_refs(listed.stdout)
    return {name: found[name] for name in refs if name in found} if refs else found


def parse_refs(listing: bytes) -> dict[str, str]:
    """The lines of `git ls-remote`, annotated tags replaced by their commits."""
    found: dict[str, str] = {}
    for line in listing.decode("utf-8", "surrogateescape").splitlines():
        object_id, _, name = line.partition("\t")
        found[name.removesuffix("^{}")] = object_id
    return found


_WORDS: tuple[tuple[type[TidegateError], str, tuple[str, ...], str], ...] = (
    (
        Denied,
        "is not reached: the proxy refuses its credential",
        ("error: 407", "HTTP code 407", "response 407"),
        "look at the username and password of the Secret that proxySecretRef names",
    ),
    (
        Denied,
        "does not believe the host key",
        ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
        "compare `ssh-keyscan HOST` with the known_hosts of the Secret",
    ),
    (
        Denied,
        "refused the credential",
        ("Authentication failed", "could not read Username", "could not read Password", "Permission denied (",
         "error: 403", "error: 401"),
        "look at the Secret that secretRef names: is it valid, may it read (and push)?",
    ),
    (
        NotFound,
        "has no such repository",
        ("epository not found", "not found", "does not exist", "does not appear to be a git repository"),
        "look at the URL; a private repository without a credential looks the same",
    ),
    (
        InvalidInput,
        "answers with a redirect, which is not followed with a credential",
        ("unable to update url base from redirection", "error: 301", "error: 302", "error: 307", "error: 308"),
        "write the URL that it redirects to",
    ),
    (
        InvalidInput,
        "sends what git does not accept",
        ("fsck error",),
        "`git fsck --strict` in a clone names it; its history has to be made anew without it",
    ),
    (
        InvalidInput,
        "has two refs that the name of this one could mean",
        ("matches more than one",),
        "delete the one that begins with refs/heads/refs/ there: git push REMOTE :refs/heads/refs/heads/NAME",
    ),
    (
        Conflict,
        "has not what was asked for any more",
        ("couldn't find remote ref", "not our ref", "unadvertised object"),
        "fetch again",
    ),
)  # fmt: skip


_ASKED = "terminal prompts disabled"
"""git's word for a 401, after which it would ask somebody."""
_SSH_ENDED = "Could not read from remote repository"
"""git's last word whatever has ended ssh, whose own words stand before it."""


def explain(error: CommandFailed, url: str) -> TidegateError:
    """What a failed call to a remote means; Unavailable where nothing says that trying again is useless."""
    lines = [line for line in error.output.strip().splitlines() if line.strip()]
    said = next(
        (line for line in lines if line.startswith(("fatal: ", "ERROR: "))), lines[-1] if lines else error.message
    )
    # What fsck has found, and which ref there is twice.
    said = next((line for line in lines if line.startswith(("error: object ", "error: dst refspec "))), said)
    said = plain(said)
    if error.exit_code is None:
        return Unavailable(f"{url} did not answer in time: {error.message}")
    for kind, meaning, words, remedy in _WORDS:
        if any(word in error.output for word in words):
            if _SSH_ENDED in said:
                said = next(line.strip() for word in words for line in lines if word in line)
            elif _ASKED in said:
                said = "it answers 401, and asks for another one"
            return kind(f"{url} {meaning}: {said}", remedy=remedy)
    return Unavailable(f"{url} can't be reached: {said}")
