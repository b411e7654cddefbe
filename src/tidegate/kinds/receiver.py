"""Receiver, of notification.toolkit.fluxcd.io: a path at which a forge or a registry tells us of news. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.common import LocalReference, Model, identity, local_reference
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object, group_of

GROUP, KIND, VERSIONS = "notification.toolkit.fluxcd.io", "Receiver", ("v1", "v1beta3", "v1beta2", "v1beta1")
TYPES = (
    "generic", "generic-hmac", "generic-oidc", "github", "gitlab", "gitea", "bitbucket", "harbor", "dockerhub", "quay",
    "gcr", "ghcr", "nexus", "acr", "cdevents", "distribution",
)  # fmt: skip
DEFAULT_INTERVAL = 600.0
WEBHOOK_PATH = "/hook/"


@frozen
class ReceiverResource:
    """What to wake: an object, or with name `*` every one of its kind with `match_labels`. An empty `group` is that in
    which Flux has the kind.
    """

    kind: str
    name: str
    namespace: str | None = None
    group: str = ""
    match_labels: Mapping[str, str] = field(default_factory=dict)


@frozen(kw_only=True)
class Receiver(Model):
    """A hook. An empty `events` means all of them. Times are in seconds. `expressions` are the paths of fields that
    hold CEL, which nothing here evaluates.
    """

    type: str
    resources: tuple[ReceiverResource, ...]
    events: tuple[str, ...] = ()
    secret_ref: LocalReference | None = None
    expressions: tuple[str, ...] = ()
    interval_seconds: float = DEFAULT_INTERVAL
    suspend: bool = False

    @classmethod
    def from_object(cls, obj: Object) -> Receiver:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        fields.raw("oidcProviders")
        kind = fields.text("type", required=True, choices=TYPES)
        interval = fields.seconds("interval")
        children = fields.children("resources")
        resources = tuple(_resource(one) for one in children)
        filters = [f"resources[{index}].filter" for index, one in enumerate(children) if one.has("filter")]
        if not resources:
            fields.wrong("resources", "is required")
        return cls(
            key=key,
            version=version,
            type=kind,
            resources=resources,
            events=fields.texts("events"),
            secret_ref=local_reference(fields, "secretRef", required=kind != "generic-oidc"),
            expressions=(*(["resourceFilter"] if fields.optional_text("resourceFilter") else []), *filters),
            interval_seconds=DEFAULT_INTERVAL if interval is None else interval,
            suspend=fields.flag("suspend"),
            unknown_fields=fields.finish(),
        )

    def webhook_path(self, token: str) -> str:
        """The path at which this hook listens, as Flux makes it: unguessable without the secret's `token`."""
        digest = hashlib.sha256(f"{token}{self.key.name}{self.key.namespace}".encode()).hexdigest()
        return f"{WEBHOOK_PATH}{digest}"


def _resource(fields: Fields) -> ReceiverResource:
    fields.raw("filter")
    return ReceiverResource(
        group=group_of(fields.text("apiVersion")),
        kind=fields.text("kind", required=True),
        name=fields.text("name", required=True),
        namespace=fields.optional_text("namespace"),
        match_labels=fields.text_map("matchLabels"),
    )
