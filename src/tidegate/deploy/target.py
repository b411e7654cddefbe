"""Where a Kustomization says that it is applied, and as whom: `spec.serviceAccountName` and `spec.kubeConfig`. Pure."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.ports import Store, Workloads
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object, key_of

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""A DNS subdomain (RFC 1123), as Kubernetes names a ServiceAccount: no other text may come into a header."""


class AccountGone(NotFound):
    """The ServiceAccount that something is applied as is not there."""

    code = "AccountGone"


@frozen
class KubeConfigSecret:
    """The Secret with another cluster's kubeconfig; `key` is the entry, None for the usual ones."""

    name: str
    key: str | None = None


@frozen
class Target:
    """A ServiceAccount, another cluster, or such an account there. Both are looked up in `namespace`."""

    namespace: str
    account: str | None = None
    kube_config: KubeConfigSecret | None = None

    @property
    def user(self) -> str | None:
        """The account as the API server names it."""
        return f"system:serviceaccount:{self.namespace}:{self.account}" if self.account else None


class Elsewhere(Protocol):
    """What a home reaches its accounts and other clusters by."""

    def open(self, target: Target, store: Store) -> AbstractAsyncContextManager[Workloads]:
        """The Workloads of a target, for as long as they are used. AccountGone, NotFound, InvalidInput where the target
        is none, Denied with what right is missing.
        """
        ...


def target_of(obj: Object) -> Target | None:
    """What a Kustomization says; None where it is applied by the home itself. InvalidInput names the wrong fields."""
    fields = Fields.of(obj)
    account, config = fields.optional_text("serviceAccountName"), fields.child("kubeConfig")
    if account and not _NAME.fullmatch(account):
        fields.wrong("serviceAccountName", "is no name of a ServiceAccount")
    secret = config.child("secretRef", required=True) if config is not None else None
    found = KubeConfigSecret(secret.text("name", required=True), secret.optional_text("key")) if secret else None
    fields.finish()
    return Target(key_of(obj).namespace, account, found) if account or found else None
