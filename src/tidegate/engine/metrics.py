"""What the controllers do, in numbers: Prometheus metrics under the names that Flux and controller-runtime use.

Kept as plain numbers; prometheus-client is loaded only when somebody scrapes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from tidegate.base.errors import Conflict
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Outcome, Stalled
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import READY, find
from tidegate.kinds.objects import Object, ObjectKey, key_of, version_of

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds."""

_INFO_LABELS = (
    "name",
    "exported_namespace",
    "customresource_kind",
    "customresource_group",
    "customresource_version",
    "ready",
    "suspended",
)


@dataclass(slots=True)
class _Durations:
    """How long the reconciliations of one object took."""

    counts: array[int] = field(default_factory=lambda: array("I", bytes(4 * (len(BUCKETS) + 1))))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus's form: how many took at most so long."""
        running, found = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, float(running)))
        return found


@frozen
class _Shown:
    """An object as it was when it was last looked at."""

    version: str
    ready: str
    suspended: bool


class Metrics:
    """Takes in what a Manager does, and gives it out as text in Prometheus's format."""

    def __init__(self) -> None:
        self._durations: dict[ObjectKey, _Durations] = {}
        self._shown: dict[ObjectKey, _Shown] = {}
        self._results: Counter[tuple[str, str]] = Counter()
        self._depths: Callable[[], Mapping[str, int]] = dict

    def queues(self, depths: Callable[[], Mapping[str, int]]) -> None:
        """Say where the length of each controller's queue is to be read."""
        self._depths = depths

    def reconciled(self, controller: str, obj: Object, result: Outcome | Exception, seconds: float) -> None:
        """An object was reconciled in `seconds`."""
        key = key_of(obj)
        if key in self._shown:  # else it was deleted meanwhile
            self._durations.setdefault(key, _Durations()).add(seconds)
        self._results[controller, _word(result)] += 1

    def seen(self, obj: Object) -> None:
        """An object is now like this."""
        ready = find(mapping(obj.get("status")).get("conditions") or [], READY) or {}
        suspended = mapping(obj.get("spec")).get("suspend") is True
        self._shown[key_of(obj)] = _Shown(version_of(obj["apiVersion"]), str(ready.get("status", "Unknown")), suspended)

    def gone(self, key: ObjectKey) -> None:
        """An object was deleted: its numbers go with it."""
        self._durations.pop(key, None)
        self._shown.pop(key, None)

    def text(self) -> bytes:
        """All metrics, this process's own among them, as GET /metrics answers (CONTENT_TYPE)."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415 - see above

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """The metrics as prometheus-client's families; it calls this at each scrape, in a thread."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see above

        build = GaugeMetricFamily("tidegate_build_info", "The version that runs.", labels=["version"])
        build.add_metric([version("tidegate")], 1)
        yield build
        yield self._duration_family()
        yield self._info_family()
        yield from self._result_families()
        depths = GaugeMetricFamily("workqueue_depth", "Objects that are due to be reconciled.", labels=["name"])
        for name, depth in self._depths().items():
            depths.add_metric([name], depth)
        yield depths

    def _duration_family(self) -> Metric:
        from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - see above

        family = HistogramMetricFamily(
            "gotk_reconcile_duration_seconds",
            "How long the reconciliations of an object took.",
            labels=["kind", "name", "namespace"],
        )
        for key, taken in list(self._durations.items()):
            family.add_metric([key.kind, key.name, key.namespace], taken.cumulative(), taken.total)
        return family

    def _info_family(self) -> Metric:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see above

        family = GaugeMetricFamily("gotk_resource_info", "The objects, and what they came to.", labels=_INFO_LABELS)
        for key, shown in list(self._shown.items()):
            suspended = str(shown.suspended).lower()
            family.add_metric([key.name, key.namespace, key.kind, key.group, shown.version, shown.ready, suspended], 1)
        return family

    def _result_families(self) -> tuple[Metric, Metric]:
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - see above

        results = CounterMetricFamily(
            "controller_runtime_reconcile", "Reconciliations by their result.", labels=["controller", "result"]
        )
        errors = CounterMetricFamily(
            "controller_runtime_reconcile_errors", "Reconciliations that failed.", labels=["controller"]
        )
        for (controller, result), count in list(self._results.items()):
            results.add_metric([controller, result], count)
            if result == "error":
                errors.add_metric([controller], count)
        return results, errors


def _word(result: Outcome | Exception) -> str:
    """controller-runtime's word for a result."""
    if isinstance(result, Conflict):
        return "requeue"
    if isinstance(result, Exception):
        return "error"
    if isinstance(result, Stalled) or result.requeue_after is None:
        return "success"
    return "requeue_after"
