"""A Git credential from the data of the Secret that a GitRepository names. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.git.remote import Credentials


def credentials_of(data: Mapping[str, bytes]) -> Credentials:
    """Flux's keys: username and password, bearerToken, identity and known_hosts, ca.crt, tls.crt and tls.key
    (before: caFile, certFile, keyFile)."""

    def text(key: str) -> str:
        return data.get(key, b"").decode("utf-8", "replace").strip("\n")

    return Credentials(
        username=text("username"),
        password=text("password"),
        bearer_token=text("bearerToken"),
        identity=data.get("identity", b""),
        known_hosts=data.get("known_hosts", b""),
        ca_file=data.get("ca.crt", data.get("caFile", b"")),
        client_certificate=data.get("tls.crt", data.get("certFile", b"")),
        client_key=data.get("tls.key", data.get("keyFile", b"")),
    )
