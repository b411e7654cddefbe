"""An event as it is told, and which alerts tell it. Pure.

Flux's controllers and ours record Kubernetes events; what an Alert's sources, severity and lists say of them is Flux's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.base.regexp.matcher import any_of
from tidegate.kinds.alert import ERROR, EVERY, INFO, Alert, EventSource
from tidegate.kinds.common import LabelSelector, mapping
from tidegate.kinds.objects import Object, ObjectKey, group_of

REVISION, SUMMARY = "revision", "summary"


@frozen
class Told:
    """An event. `metadata` are further words: a revision, what the alert adds."""

    involved: Mapping[str, str]
    severity: str
    reason: str
    message: str
    timestamp: str
    component: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_event(cls, event: Object) -> Told:
        """Out of a Kubernetes event."""
        involved = {name: str(value) for name, value in mapping(event.get("involvedObject")).items() if value}
        component = event.get("reportingComponent") or mapping(event.get("source")).get("component") or ""
        return cls(
            involved=involved,
            severity=INFO if event.get("type") == "Normal" else ERROR,
            reason=str(event.get("reason") or ""),
            message=str(event.get("message") or ""),
            timestamp=str(event.get("lastTimestamp") or event.get("eventTime") or ""),
            component=str(component),
        )

    @property
    def key(self) -> ObjectKey:
        """The object that it is about."""
        group = group_of(self.involved.get("apiVersion", ""))
        words = (self.involved.get(name, "") for name in ("kind", "namespace", "name"))
        return ObjectKey(group, *words)

    def told_with(self, **metadata: str) -> Told:
        """The same with further metadata, which does not replace what is there."""
        return Told(
            self.involved, self.severity, self.reason, self.message, self.timestamp, self.component,
            {**{name: value for name, value in metadata.items() if value}, **self.metadata},
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Flux's form of an event, which `generic` providers get."""
        return {
            "involvedObject": dict(self.involved),
            "severity": self.severity,
            "timestamp": self.timestamp,
            "message": self.message,
            "reason": self.reason,
            "metadata": dict(self.metadata),
            "reportingController": self.component,
            "reportingInstance": self.component,
        }


def concerns(alert: Alert, told: Told, labels: Mapping[str, str]) -> bool:
    """Whether an alert tells an event of an object with these labels. InvalidInput where one of the alert's regular
    expressions is none.
    """
    if alert.suspend or (alert.severity == ERROR and told.severity != ERROR):
        return False
    if not any(_is_of(source, alert, told, labels) for source in alert.sources):
        return False
    if alert.exclusions and any_of(alert.exclusions, field="spec.exclusionList").test()(told.message):
        return False
    return not alert.inclusions or any_of(alert.inclusions, field="spec.inclusionList").test()(told.message)


def needs_labels(alert: Alert) -> bool:
    """Whether the labels of an object matter."""
    return any(source.match_labels for source in alert.sources)


def revision_of(obj: Object) -> str:
    """The revision that an object's events are about, as Flux puts it into their metadata; empty where it has none."""
    status = mapping(obj.get("status"))
    artifact, latest = mapping(status.get("artifact")), mapping(status.get("latestRef"))
    found = status.get("lastAttemptedRevision") or artifact.get("revision") or latest.get("tag")
    return str(found or "")


def _is_of(source: EventSource, alert: Alert, told: Told, labels: Mapping[str, str]) -> bool:
    key = told.key
    if key.kind != source.kind or key.namespace != (source.namespace or alert.key.namespace):
        return False
    if source.name != EVERY:
        return key.name == source.name
    return LabelSelector(source.match_labels).matches(labels)
