"""Reaches what Kustomizations of a cluster are applied as: its service accounts, and other clusters by a kubeconfig."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.deploy.target import AccountGone, KubeConfigSecret, Target
from tidegate.engine.ports import Store, Workloads
from tidegate.engine.secrets import read_secret
from tidegate.kinds.objects import ObjectKey
from tidegate.kube.access import ActingAs, Connection
from tidegate.kube.client import KubeClient
from tidegate.kube.discovery import Discovery
from tidegate.kube.workloads import KubeWorkloads

KEPT = 8
"""Clients that stay while nobody uses them: each has its connections, and what it knows of what it applied."""
_ENTRIES = ("value", "value.yaml")
_Mark = tuple[str | None, str | None]


@dataclass(slots=True)
class _Kept:
    client: KubeClient
    workloads: KubeWorkloads
    users: int = 0


class ClusterTargets:
    """The Elsewhere port. `client` is the controller's own, whose credential impersonates the accounts; `discovery` is
    its. `client_of` makes another client. Use as an async context manager.
    """

    def __init__(self, client: KubeClient, discovery: Discovery, client_of: Callable[[Connection], KubeClient]):
        self._client = client
        self._discovery = discovery
        self._client_of = client_of
        self._kept: dict[_Mark, _Kept] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._kept:
            await self._kept.popitem()[1].client.aclose()

    @asynccontextmanager
    async def open(self, target: Target, store: Store) -> AsyncIterator[Workloads]:
        """The Workloads of a target, for as long as they are used. AccountGone, NotFound, InvalidInput where the target
        is none, Denied with what right is missing.
        """
        if target.account and target.kube_config is None:
            await _check_account(target, store)
        config = await _read(target.kube_config, target.namespace, store) if target.kube_config else None
        mark = (hashlib.sha256(config).hexdigest() if config else None, target.user)
        kept = self._kept.pop(mark, None) or self._made(target, config)
        self._kept[mark] = kept  # the last to be closed
        kept.users += 1
        try:
            yield kept.workloads
        except Denied as error:
            if target.user and target.user in error.message:
                error.remedy = (
                    f"give the ServiceAccount {target.namespace}/{target.account} that right: by a Role and a "
                    f"RoleBinding in the namespace where it is missing"
                )
            raise
        finally:
            kept.users -= 1
            await self._close_unused()

    def _made(self, target: Target, config: bytes | None) -> _Kept:
        if config is None or target.kube_config is None:
            connection = self._client.connection
        else:
            # Few need it, and it reads YAML.
            from tidegate.kube.kubeconfig import Kubeconfig  # noqa: PLC0415

            name = f"the Secret {target.namespace}/{target.kube_config.name}"
            connection = Kubeconfig.confined(config, name).connection(self._client.clock)
            connection = replace(connection, remedy="is the cluster of spec.kubeConfig running?")
        if target.user is not None:
            connection = replace(connection, credential=ActingAs(connection.credential, target.user))
        client = self._client_of(connection)
        own = config is None
        return _Kept(client, KubeWorkloads(client, discovery=self._discovery if own else Discovery(client)))

    async def _close_unused(self) -> None:
        while len(self._kept) > KEPT:
            unused = next((mark for mark, kept in self._kept.items() if not kept.users), None)
            if unused is None:
                return
            await self._kept.pop(unused).client.aclose()


async def _check_account(target: Target, store: Store) -> None:
    """The API server lets anybody act as an account that is not there: say so, instead of a right that is missing."""
    try:
        await store.get(ObjectKey("", "ServiceAccount", target.namespace, target.account or ""))
    except NotFound:
        message = f"the ServiceAccount {target.namespace}/{target.account} does not exist"
        remedy = f"kubectl create serviceaccount {target.account} -n {target.namespace}, and bind a Role to it"
        raise AccountGone(message, remedy=remedy) from None


async def _read(secret: KubeConfigSecret, namespace: str, store: Store) -> bytes:
    data = await read_secret(store, namespace, secret.name)
    for entry in (secret.key,) if secret.key else _ENTRIES:
        if data.get(entry):
            return data[entry]
    wanted = secret.key or " or ".join(_ENTRIES)
    remedy = f"kubectl create secret generic {secret.name} -n {namespace} --from-file=value=KUBECONFIG"
    raise InvalidInput(f"the Secret {namespace}/{secret.name} has no kubeconfig: no entry {wanted}", remedy=remedy)
