"""A deploy key for one repository over ssh: the key pair, and the host's own keys to recognize it by.

Each call runs one program of OpenSSH (Debian's openssh-client). The private key is in a folder of mode 0700 while it is
made, and in the answer; the host is asked once, by whoever wants it asked again.
"""

from __future__ import annotations

import re
from dataclasses import field
from urllib.parse import urlsplit

from tidegate.base import process
from tidegate.base.errors import CommandFailed, InvalidInput, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.private import private_folder, write_private
from tidegate.git.remote import check_url

PACKAGE = "openssh-client"
SCAN_SECONDS = 10
_SCP_FORM = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:]+):(?!//)(?P<path>.+)")
# Where forges want a deploy key; it must be allowed to write, or no commit can be pushed.
_PAGES = {
    "github.com": ("{url}/settings/keys/new", "tick \"Allow write access\""),
    "gitlab.com": ("{url}/-/settings/repository", 'open "Deploy keys", tick "Grant write permissions to this key"'),
    "codeberg.org": ("{url}/settings/keys", 'tick "Enable write access"'),
    "bitbucket.org": ("{url}/admin/access-keys/", "access keys only read there: add the key to a user's account"),
}  # fmt: skip


@frozen
class SshPlace:
    """A repository over ssh: `url` as git and Flux want it, and its parts. `port` is 22 by default."""

    url: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> SshPlace:
        """From `ssh://git@HOST[:PORT]/PATH` or the short `git@HOST:PATH`. InvalidInput."""
        short = _SCP_FORM.fullmatch(text)
        if short is not None and "://" not in text:
            path = short["path"].lstrip("/")
            text = f"ssh://{short['user'] or 'git'}@{short['host']}/{path}"
        if check_url(text) != "ssh":
            remedy = "write ssh://git@HOST/OWNER/NAME; over https a token is used instead of a key"
            raise InvalidInput(f"{text!r} is not reached over ssh, so no key opens it", remedy=remedy)
        parts = urlsplit(text)
        return cls(text, parts.hostname or "", parts.port or 22, parts.path.strip("/").removesuffix(".git"))

    def page(self) -> tuple[str, str]:
        """Where the public key is pasted, and what to mind there."""
        address, advice = _PAGES.get(self.host, ("the deploy keys of {url}", "allow it to write"))
        return address.format(url=f"https://{self.host}/{self.path}"), advice


@frozen
class KeyPair:
    """An OpenSSH key pair. The private half is never shown: it is not in `repr`."""

    private: bytes = field(repr=False)
    public: str


async def make_key_pair(comment: str) -> KeyPair:
    """A new ed25519 key without a passphrase, as a program needs it. Raises MissingTool."""
    with private_folder() as folder:
        path = folder / "identity"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        await process.run(argv, timeout=SCAN_SECONDS, package=PACKAGE)
        return KeyPair(path.read_bytes(), path.with_suffix(".pub").read_text().strip())


async def scan_host(place: SshPlace) -> bytes:
    """The host's keys as lines of a known_hosts file. Nothing proves yet that they are the host's: show their
    fingerprints to a person. Raises Unavailable, MissingTool.
    """
    argv = ["ssh-keyscan", "-T", str(SCAN_SECONDS), "-p", str(place.port), "--", place.host]
    found = await process.run(argv, timeout=SCAN_SECONDS * 3, check=False, package=PACKAGE)
    lines = [line for line in found.stdout.splitlines() if line.strip() and not line.startswith(b"#")]
    if not lines:
        raise Unavailable(
            f"{place.host} port {place.port} has told no key", remedy="is the host's name right, and ssh open there?"
        )
    return b"\n".join(sorted(lines)) + b"\n"


async def fingerprints(known_hosts: bytes) -> list[str]:
    """A line for each key, as `ssh-keygen -l` writes it: bits, SHA256:…, host, type. Raises InvalidInput."""
    try:
        listed = await process.run(["ssh-keygen", "-l", "-f", "-"], stdin=known_hosts, package=PACKAGE)
    except CommandFailed as error:
        raise InvalidInput(f"this is no known_hosts file: {error.message}") from None
    return listed.text.splitlines()


async def key_fingerprint(identity: bytes) -> str:
    """A private key as it may be shown: `SHA256:… (ED25519)`. InvalidInput where ssh-keygen can't read it."""
    with private_folder() as folder:
        path = write_private(folder / "identity", identity.rstrip(b"\n") + b"\n")
        try:
            listed = await process.run(["ssh-keygen", "-l", "-f", str(path)], timeout=SCAN_SECONDS, package=PACKAGE)
        except CommandFailed:
            raise InvalidInput("`identity` is no private key that ssh can read") from None
    return short_fingerprint(listed.text)


def short_fingerprint(line: str) -> str:
    """`SHA256:… (TYPE)` of a line of `ssh-keygen -l`: `BITS SHA256:… COMMENT (TYPE)`."""
    words = line.split()
    return f"{words[1]} {words[-1]}" if len(words) > 2 else line.strip()
