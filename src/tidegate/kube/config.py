"""Finds the cluster: inside a Pod by what the kubelet gives it, elsewhere by kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.engine.clock import Clock, SystemClock
from tidegate.kube.access import Connection, TokenFile, Verification
from tidegate.kube.kubeconfig import Kubeconfig, default_paths

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


def find_cluster(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    environment: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """The cluster that a command or the controller works on.

    A kubeconfig or context that is given counts; then KUBECONFIG; then the Pod's own service account; then
    `~/.kube/config`. NotFound says where it was looked for; InvalidInput names a file and a field.
    """
    clock = clock or SystemClock()
    if kubeconfig is not None and not kubeconfig.is_file():
        raise NotFound(f"there is no kubeconfig {kubeconfig}", remedy="look at --kubeconfig")
    paths: Sequence[Path] = [kubeconfig] if kubeconfig is not None else default_paths(environment)
    asked = kubeconfig is not None or context is not None or bool(environment.get("KUBECONFIG"))
    if not asked and environment.get(HOST):
        return in_cluster(environment, clock, service_account)
    return Kubeconfig.read(paths).connection(clock, context)


def in_cluster(
    environment: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """The API server of the cluster that this process runs in, with the Pod's service account.

    NotFound outside a Pod, InvalidInput where the kubelet's files are not as they should be.
    """
    host, port = environment.get(HOST), environment.get(PORT, "443")
    if not host:
        raise NotFound(f"this is no Pod: {HOST} is not set", remedy="give --kubeconfig FILE")
    if not port.isdecimal():
        raise InvalidInput(f"{port!r} is no port", where=Where(field=PORT))
    address = f"[{host}]" if ":" in host else host
    authority = service_account / "ca.crt"
    try:
        data = authority.read_bytes()
        namespace = (service_account / "namespace").read_text().strip()
    except OSError as error:
        why = f"the service account's files can't be read: {error.strerror}"
        remedy = "is automountServiceAccountToken switched off?"
        raise InvalidInput(why, where=Where(file=str(error.filename)), remedy=remedy) from error
    return Connection(
        server=f"https://{address}:{port}",
        credential=TokenFile(service_account / "token", clock or SystemClock()),
        verification=Verification(data),
        namespace=namespace or None,
        origin="the Pod's service account",
        remedy="can this Pod reach the API server? a NetworkPolicy may forbid it",
    )
