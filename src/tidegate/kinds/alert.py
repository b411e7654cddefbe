"""Alert, of notification.toolkit.fluxcd.io: which events are told, and to which Provider. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.common import LocalReference, Model, identity, local_reference
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "notification.toolkit.fluxcd.io", "Alert", ("v1beta3", "v1beta2", "v1beta1")
INFO, ERROR = "info", "error"
EVERY = "*"


@frozen
class EventSource:
    """An object whose events are told, or with the name `*` every one of its kind with `match_labels`."""

    kind: str
    name: str
    namespace: str | None = None
    match_labels: Mapping[str, str] = field(default_factory=dict)


@frozen(kw_only=True)
class Alert(Model):
    """An alert. `inclusions` and `exclusions` are regular expressions (RE2) of messages; `metadata` goes with each."""

    provider: LocalReference
    sources: tuple[EventSource, ...]
    severity: str = INFO
    inclusions: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    suspend: bool = False

    @classmethod
    def from_object(cls, obj: Object) -> Alert:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        provider = local_reference(fields, "providerRef", required=True)
        sources = tuple(_source(one) for one in fields.children("eventSources"))
        if not sources:
            fields.wrong("eventSources", "is required")
        return cls(
            key=key,
            version=version,
            provider=provider or LocalReference(""),
            sources=sources,
            severity=fields.text("eventSeverity", INFO, choices=(INFO, ERROR)),
            inclusions=fields.texts("inclusionList"),
            exclusions=fields.texts("exclusionList"),
            metadata=fields.text_map("eventMetadata"),
            summary=fields.text("summary", longest=255),
            suspend=fields.flag("suspend"),
            unknown_fields=fields.finish(),
        )


def _source(fields: Fields) -> EventSource:
    fields.raw("apiVersion")
    return EventSource(
        kind=fields.text("kind", required=True),
        name=fields.text("name", required=True),
        namespace=fields.optional_text("namespace"),
        match_labels=fields.text_map("matchLabels"),
    )
