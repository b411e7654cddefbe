"""Provider, of notification.toolkit.fluxcd.io: where events are told, and how. Pure."""

from __future__ import annotations

import re

from tidegate.base.frozen import frozen
from tidegate.kinds.common import LocalReference, Model, identity, local_reference, mapping
from tidegate.kinds.fields import SHORT_DURATION, Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "notification.toolkit.fluxcd.io", "Provider", ("v1beta3", "v1beta2", "v1beta1")
COMMIT_STATUS = ("github", "gitlab", "gitea")
TYPES = ("generic", "generic-hmac", "slack", "discord", "matrix", "telegram", "msteams", *COMMIT_STATUS)
OTHER_TYPES = (
    "rocket", "googlechat", "googlepubsub", "webex", "sentry", "azureeventhub", "lark", "alertmanager", "grafana",
    "githubdispatch", "githubpullrequestcomment", "gitlabmergerequestcomment", "giteapullrequestcomment",
    "bitbucketserver", "bitbucket", "azuredevops", "opsgenie", "pagerduty", "datadog", "nats", "zulip", "otel",
)  # fmt: skip
"""Those that Flux has and nothing here can speak to."""
DEFAULT_TIMEOUT = 15.0
_ADDRESS = re.compile(r"https?://\S+")


@frozen(kw_only=True)
class Provider(Model):
    """A place for events. Times are in seconds. `address` may be in the Secret instead. `unused` are fields that are
    set and that nothing here can follow.
    """

    type: str
    address: str = ""
    channel: str = ""
    username: str = ""
    timeout_seconds: float = DEFAULT_TIMEOUT
    secret_ref: LocalReference | None = None
    cert_secret_ref: LocalReference | None = None
    proxy_secret_ref: LocalReference | None = None
    suspend: bool = False
    unused: tuple[str, ...] = ()
    uid: str = ""

    @classmethod
    def from_object(cls, obj: Object) -> Provider:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        fields.raw("interval")
        timeout = fields.seconds("timeout", pattern=SHORT_DURATION)
        unused = ("serviceAccountName", "commitStatusExpr", "proxy")
        return cls(
            key=key,
            version=version,
            type=fields.text("type", required=True, choices=(*TYPES, *OTHER_TYPES)),
            address=fields.text("address", pattern=_ADDRESS, longest=2048),
            channel=fields.text("channel", longest=2048),
            username=fields.text("username", longest=2048),
            timeout_seconds=DEFAULT_TIMEOUT if timeout is None else timeout,
            secret_ref=local_reference(fields, "secretRef"),
            cert_secret_ref=local_reference(fields, "certSecretRef"),
            proxy_secret_ref=local_reference(fields, "proxySecretRef"),
            suspend=fields.flag("suspend"),
            uid=str(mapping(obj.get("metadata")).get("uid") or ""),
            unused=tuple(name for name in unused if fields.raw(name) not in (None, "")),
            unknown_fields=fields.finish(),
        )
