"""What all pods of this machine share: where things lie, who owns them, what the kernel allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tidegate.base.frozen import frozen
from tidegate.base.sandbox import Capabilities, UserRange
from tidegate.engine.clock import Clock
from tidegate.engine.outcome import Events
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, annotation
from tidegate.network.outside import Outside
from tidegate.oci.credentials import Credentials
from tidegate.runtime.deployment_spec import NETWORK
from tidegate.runtime.images import ImageStore, Registry
from tidegate.runtime.layers import NOBODY, Owners
from tidegate.runtime.logs import PodLogs

RegistryFor = Callable[[Credentials], Registry]
"""A registry client with further credentials: those of a pod's imagePullSecrets."""


@frozen
class Machine:
    """The parts that a pod's worker uses. `overlay` says whether overlayfs works below `root`;
    without `outside` no pod reaches anything outside of its namespaces."""

    root: Path
    store: Store
    clock: Clock
    events: Events
    capabilities: Capabilities
    images: ImageStore
    registry: Registry
    registry_for: RegistryFor | None
    logs: PodLogs
    host_roots: tuple[Path, ...]
    overlay: bool
    outside: Outside | None = None

    @property
    def owner(self) -> int | None:
        """To whom a pod's own files belong; None is the user who runs Tidegate."""
        if not self.capabilities.root:
            return None
        return UserRange().base if self.capabilities.user_ranges else NOBODY

    @property
    def network(self) -> str:
        """As a Sandbox names it."""
        return "none" if self.capabilities.network else "host"

    async def way_out(self, pod: Object) -> Outside | None:
        """Who gives a pod its network outside; None where it has none, by its annotation or for what is lacking."""
        closed = annotation(pod, NETWORK) not in (None, "auto")
        if closed or self.outside is None or not self.capabilities.network or not (await self.outside.way()).leads_out:
            return None
        return self.outside

    def pod_folder(self, uid: str) -> Path:
        """A pod's own folder."""
        return self.root / "pods" / uid


def owners(capabilities: Capabilities) -> Owners:
    """To whom unpacked layers belong."""
    if not capabilities.root:
        return Owners()
    return Owners(UserRange().base) if capabilities.user_ranges else Owners(nobody=True)
