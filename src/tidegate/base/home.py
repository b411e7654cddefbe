"""The home: the one folder in which Tidegate keeps everything, 0700, and the credential that opens its doors."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from pathlib import Path
from typing import Self

from tidegate.base.errors import AlreadyExists, InvalidInput, NotFound
from tidegate.base.frozen import frozen

ENVIRONMENT = "TIDEGATE_HOME"
_MARKS = {"lock", "token"}  # one of them is in every home
_TOKEN = re.compile(r"[!-~]{16,512}")


def default_home() -> Path:
    """`TIDEGATE_HOME`, else `~/.local/share/tidegate`."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given) if given else Path.home() / ".local/share/tidegate"


@frozen
class Server:
    """Where a running `tidegate up` answers; `https` is None where that port is missing. `stand_ins` are the hosts that
    it answers for.
    """

    pid: int
    url: str
    https: str | None
    stand_ins: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {"pid": self.pid, "url": self.url, "https": self.https, "standIns": list(self.stand_ins)}


def git_settings(url: str, credentials: Path) -> dict[str, str]:
    """git's configuration for the doors at `url`: where the credential is, and that no proxy lies between. A proxy is
    for other machines, can't reach a port of this one, and would be given the credential.
    """
    return {f"credential.{url}.helper": f"store --file={credentials}", f"http.{url}.proxy": ""}


class Home:
    """Paths below a home. Nothing touches the disk until asked."""

    def __init__(self, root: Path):
        self.root = root.absolute()

    def make(self) -> Self:
        """Make the folder, 0700, or take one that is empty or a home already. InvalidInput for any other: a slip of
        the finger in `--home` must not close /tmp or a person's own folder to everybody else.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = {path.name for path in self.root.iterdir()}
        if held and held.isdisjoint(_MARKS):
            remedy = "name a new or empty folder with --home"
            raise InvalidInput(f"{self.root} is not empty and no home of tidegate", remedy=remedy)
        self.root.chmod(0o700)
        (self.root / "lock").touch(0o600)
        return self

    @property
    def repositories(self) -> Path:
        """Git repositories hosted here."""
        return self.root / "git"

    @property
    def mirrors(self) -> Path:
        """Mirrors of remote Git repositories."""
        return self.root / "mirrors"

    @property
    def actions(self) -> Path:
        """Commits of other repositories that workflows take actions from."""
        return self.root / "actions"

    @property
    def registry(self) -> Path:
        """Images pushed here."""
        return self.root / "registry"

    @property
    def tags(self) -> Path:
        """Tags as the last scans found them."""
        return self.root / "tags"

    @property
    def cache(self) -> Path:
        """What can be downloaded or built again: packages, bases, wheels, layers."""
        given = os.environ.get("TIDEGATE_CACHE")
        return Path(given).absolute() if given else self.root / "cache"

    @property
    def runs(self) -> Path:
        """Workspaces and logs of workflow runs."""
        return self.root / "runs"

    @property
    def workloads(self) -> Path:
        """Root file systems, volumes and logs of what runs here."""
        return self.root / "workloads"

    @property
    def logs(self) -> Path:
        """The controllers' logs."""
        return self.root / "logs"

    @property
    def pki(self) -> Path:
        """The CA of Tidegate's own and the certificate it signed."""
        return self.root / "pki"

    @property
    def facts(self) -> Path:
        """What was read of images, by digest; it may be lost."""
        return self.root / "facts.db"

    @property
    def database(self) -> Path:
        """Objects and their status."""
        return self.root / "store.db"

    def token(self) -> str:
        """The home's token, made on first use: 0600, in the file `token`."""
        path = self.root / "token"
        if path.exists():
            return _checked_token(path)
        temporary = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        temporary.replace(path)
        return _checked_token(path)

    def write_git_credentials(self, url: str) -> Path:
        """A file in the form of git-credential-store(1) that opens `url` with the home's token, 0600."""
        scheme, _, host = url.partition("://")
        path = self.root / "git-credentials"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{scheme}://tidegate:{self.token()}@{host}\n")
        return path

    def lock(self) -> int:
        """Take the home for this process; AlreadyExists where another `tidegate up` has it. Held until exit."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyExists(
                f"another tidegate uses {self.root}", remedy="stop it, or name another folder with --home"
            ) from None
        return descriptor

    def write_server(self, server: Server) -> None:
        """Say where the doors are."""
        path = self.root / "server.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(server.as_json()) + "\n")
        temporary.replace(path)

    def server(self) -> Server:
        """Where the running process answers; NotFound where none runs."""
        try:
            value = json.loads((self.root / "server.json").read_text())
            server = Server(
                int(value["pid"]), str(value["url"]), value["https"], tuple(map(str, value.get("standIns", ())))
            )
            os.kill(server.pid, 0)
        except (FileNotFoundError, ValueError, KeyError, ProcessLookupError):
            raise NotFound(
                f"no tidegate runs with the home {self.root}", remedy="start it: tidegate up, or name its --home"
            ) from None
        except PermissionError:
            pass
        return server


def _checked_token(path: Path) -> str:
    token = path.read_bytes().strip().decode("latin-1")
    if not _TOKEN.fullmatch(token):
        raise InvalidInput(f"{path} holds no token", remedy="remove the file; a token is made anew")
    return token
