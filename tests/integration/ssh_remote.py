"""A Git remote over ssh: a real sshd on loopback, which lets one deploy key in."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.integration.cluster_program import Program
from tests.integration.cluster_world import free_ports

START_TIMEOUT = 20.0
SSHD = "/usr/sbin/sshd"
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class SshRemote:
    """Bare repositories below `folder`. `allow` lets a public key in; `known_hosts` is what ssh-keyscan prints."""

    def __init__(self, folder: Path):
        if not Path(SSHD).exists():
            pytest.skip("sshd is not installed: apt-get install openssh-server")
        self.folder = folder
        folder.mkdir()
        (self.port,) = free_ports(1)
        self.new_key("host_key")
        (folder / "authorized_keys").touch(0o600)
        (folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it for its own privilege separation
        self._sshd = Program([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], folder / "sshd.log")

    def start(self) -> None:
        self._sshd.start()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, self._sshd.tail()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        self._sshd.kill()

    def new_key(self, name: str, comment: str = "test") -> Path:
        """An ed25519 key pair, made as the guide makes its deploy key; the private key's file."""
        path = self.folder / name
        arguments = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        subprocess.run(arguments, check=True, timeout=30)
        return path

    def allow(self, key: Path) -> None:
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(key.with_suffix(".pub").read_text())

    def create(self, name: str) -> Path:
        """A bare repository; its folder."""
        path = self.folder / f"{name}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True, timeout=30)
        return path

    def url(self, name: str) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.folder}/{name}.git"

    def known_hosts(self) -> str:
        """What `ssh-keyscan` prints for this host."""
        if shutil.which("ssh-keyscan") is None:
            pytest.skip("ssh-keyscan is not installed: apt-get install openssh-client")
        arguments = ["ssh-keyscan", "-p", str(self.port), "127.0.0.1"]
        return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=30).stdout


class Clone:
    """A developer's clone of a repository of the remote, pushed to with a deploy key."""

    def __init__(self, folder: Path, remote: SshRemote, name: str, key: Path):
        self.folder = folder
        self._key = key
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", remote.url(name))

    def git(self, *arguments: str) -> str:
        ssh = f"ssh -F none -i {self._key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        identity = ["-c", "user.name=Developer", "-c", "user.email=dev@example.com"]
        done = subprocess.run(
            ["git", *identity, "-C", str(self.folder), *arguments],
            env=os.environ | {"GIT_SSH_COMMAND": ssh, "GIT_CONFIG_GLOBAL": "/dev/null"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def push(self, files: dict[str, str | None], message: str = "Change") -> str:
        """Write these files (None deletes one), commit and push; the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        self.git("push", "-q", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")
