"""The keys of a test's cluster: a CA, the server's certificate, an administrator's, and the service accounts' key pair.

Made by the openssl program, once for each cluster; nothing here is a secret of anybody.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

DAYS = "2"
TIMEOUT = 30
CONFIG = """\
[req]
distinguished_name = none
prompt = no
[none]
CN = none
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, DNS:kubernetes.default.svc, IP:127.0.0.1
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
"""


@dataclass(frozen=True)
class Pki:
    """PEM files. A `*.crt` has its key beside it as `*.key`."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def server(self) -> Path:
        return self.folder / "server.crt"

    @property
    def admin(self) -> Path:
        return self.folder / "admin.crt"

    @property
    def accounts(self) -> Path:
        """The private key that signs service account tokens; the public one lies in `accounts.pub`."""
        return self.folder / "accounts.key"

    def client(self, user: str, *groups: str) -> Path:
        """Sign a client certificate for a user of these groups, and return its file."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._signed(user.replace(":", "-"), subject, "client")

    def _signed(self, name: str, subject: str, extensions: str) -> Path:
        key, request, certificate = (self.folder / f"{name}.{suffix}" for suffix in ("key", "csr", "crt"))
        ca_key, config = self.ca.with_suffix(".key"), self.folder / "openssl.conf"
        openssl("req", *NEW_KEY, "-new", "-config", config, "-subj", subject, "-keyout", key, "-out", request)
        openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", DAYS,
            "-extfile", config, "-extensions", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make(folder: Path) -> Pki:
    """All the keys, in `folder`."""
    folder.mkdir(parents=True)
    pki = Pki(folder)
    config = folder / "openssl.conf"
    config.write_text(CONFIG)
    ca_key = pki.ca.with_suffix(".key")
    openssl(
        "req", *NEW_KEY, "-x509", "-new", "-config", config, "-extensions", "ca", "-subj", "/CN=test-cluster",
        "-days", DAYS, "-keyout", ca_key, "-out", pki.ca,
    )  # fmt: skip
    pki._signed("server", "/CN=kube-apiserver", "server")
    pki.client("admin", "system:masters")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pki.accounts)
    openssl("ec", "-in", pki.accounts, "-pubout", "-out", folder / "accounts.pub")
    return pki


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, timeout=TIMEOUT, capture_output=True)
