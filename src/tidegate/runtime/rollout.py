"""Which pods to make and which to end, from what is wanted and what is there. Pure: Kubernetes' rolling update."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen


@frozen
class Wanted:
    """A Deployment's spec as far as numbers go; `revision` is its template's hash."""

    revision: str
    replicas: int = 1
    recreate: bool = False
    surge: int = 1
    unavailable: int = 0
    paused: bool = False


@frozen
class Pod:
    """A pod that is there."""

    name: str
    revision: str
    created: str = ""
    ready: bool = False
    available: bool = False
    ending: bool = False


@frozen
class Actions:
    """`create` pods of the wanted revision; end those named."""

    create: int = 0
    end: tuple[str, ...] = ()


def decide(wanted: Wanted, pods: Sequence[Pod]) -> Actions:
    """The next step towards the wanted state; nothing where it is reached or where something must happen first.

    Never more than `replicas + surge` pods that are not ending, nor fewer than `replicas - unavailable` available ones
    because of the step. A paused Deployment is scaled, not rolled.
    """
    staying = [pod for pod in pods if not pod.ending]
    if wanted.paused and any(pod.revision != wanted.revision for pod in staying):
        return _scale(staying, wanted.replicas)
    new = [pod for pod in staying if pod.revision == wanted.revision]
    old = [pod for pod in staying if pod.revision != wanted.revision]
    surplus = _least_useful(new)[: max(0, len(new) - wanted.replicas)]
    if wanted.recreate:
        gone = not old and all(pod.revision == wanted.revision for pod in pods)
        create = max(0, wanted.replicas - len(new)) if gone else 0
        return Actions(create, tuple(pod.name for pod in [*old, *surplus]))
    room = wanted.replicas + wanted.surge - len(staying)
    create = max(0, min(wanted.replicas - len(new), room))
    return Actions(create, tuple(pod.name for pod in [*_replaced(wanted, new, old), *surplus]))


def _scale(staying: Sequence[Pod], replicas: int) -> Actions:
    surplus = _least_useful(staying)[: max(0, len(staying) - replicas)]
    return Actions(0, tuple(pod.name for pod in surplus))


def _replaced(wanted: Wanted, new: Sequence[Pod], old: Sequence[Pod]) -> list[Pod]:
    """Old pods that may end now, as Kubernetes' deployment controller has it: first those that serve nobody, so that a
    revision which never got ready makes room for the one that mends it; then as many as the available ones allow.
    """
    idle = sorted((pod for pod in old if not pod.available), key=lambda pod: (pod.created, pod.name))
    serving = sorted((pod for pod in old if pod.available), key=lambda pod: (pod.created, pod.name))
    kept = list(reversed(_least_useful(new)))[: wanted.replicas]
    coming = sum(not pod.available for pod in kept)
    least = max(0, wanted.replicas - wanted.unavailable)
    # A new pod that is not available yet stands for nobody: until it is, the old ones are all that there is.
    beyond = max(0, len(kept) + len(old) - least - coming)
    spare = max(0, len(serving) + sum(pod.available for pod in new) - least)
    return [*idle[:beyond], *serving[:spare]]


def _least_useful(pods: Sequence[Pod]) -> list[Pod]:
    """In the order in which Kubernetes ends surplus pods: not ready first, then the youngest."""
    youngest_first = sorted(pods, key=lambda pod: (pod.created, pod.name), reverse=True)
    return sorted(youngest_first, key=lambda pod: (pod.available, pod.ready))


def amount(value: object, replicas: int, *, up: bool, field: str) -> int:
    """`maxSurge` and `maxUnavailable`: a number, or a percentage of the replicas, rounded up or down."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        share = int(value[:-1]) * replicas / 100
        return math.ceil(share) if up else math.floor(share)
    raise InvalidInput(f"{field} {value!r} is neither a number nor a percentage")
