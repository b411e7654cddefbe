"""Lanes: objects that wait for the same place outside (a registry, a Git host), of which only so many are worked on at
once, so that a host that hangs keeps no other's objects waiting.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from tidegate.kinds.objects import Object, ObjectKey

LaneOf: TypeAlias = Callable[[Object], str]
"""The place that an object waits for, by its spec."""
AT_ONCE = 8
"""Objects of one lane at once: half of what a controller works on in all."""


class Lanes:
    """Who may be worked on now. `objects` are those that are known, by key; one that is not known waits for nobody."""

    def __init__(self, lane_of: LaneOf | None, objects: Mapping[ObjectKey, Object]):
        self._lane_of = lane_of
        self._objects = objects
        self._entered: dict[ObjectKey, str] = {}
        self._count: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, deque[ObjectKey]] = defaultdict(deque)

    def enter(self, key: ObjectKey) -> bool:
        """Whether the work on an object may begin. Where it may not, a later `leave` hands its key out."""
        obj = self._objects.get(key)
        if self._lane_of is None or obj is None:
            return True
        lane = self._lane_of(obj)
        if self._count[lane] >= AT_ONCE:
            self._waiting[lane].append(key)
            return False
        self._entered[key] = lane
        self._count[lane] += 1
        return True

    def leave(self, key: ObjectKey) -> ObjectKey | None:
        """The work on an object has ended: the one that has waited longest for its place, and has it now."""
        if (lane := self._entered.pop(key, None)) is None:
            return None
        if waiting := self._waiting.get(lane):
            following = waiting.popleft()
            self._entered[following] = lane
            return following
        self._waiting.pop(lane, None)
        self._count[lane] -= 1
        if not self._count[lane]:
            del self._count[lane]
        return None
