"""The text of a kubeconfig file for this Tidegate, with the CA and the token inside. Pure: whoever calls writes it."""

from __future__ import annotations

import base64
from typing import Any

import yaml

NAME = "tidegate"


def kubeconfig(server: str, token: str, *, ca: bytes | None = None, namespace: str | None = None) -> str:
    """A kubeconfig whose only context is `tidegate`.

    `server` is the URL of the https port, with `ca` the PEM of its CA. Over plain http kubectl sends no token: such a
    file can read, but neither write nor see Secrets, so it says so in a comment and leaves the token out.
    """
    secure = server.startswith("https://")
    cluster: dict[str, Any] = {"server": server}
    if ca is not None:
        cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
    context = {"cluster": NAME, "user": NAME} | ({"namespace": namespace} if namespace else {})
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {"token": token} if secure else {}}],
        "contexts": [{"name": NAME, "context": context}],
        "current-context": NAME,
        "preferences": {},
    }
    text = yaml.safe_dump(document, sort_keys=False)
    return (
        text if secure else f"# kubectl sends no credential over plain http: this file reads, and can't write.\n{text}"
    )
