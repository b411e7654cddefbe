"""ImageRepository, of image.toolkit.fluxcd.io: an image whose tags are scanned. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tidegate.base.frozen import frozen
from tidegate.kinds.common import LocalReference, Model, identity, local_reference
from tidegate.kinds.fields import SHORT_DURATION, Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "image.toolkit.fluxcd.io", "ImageRepository", ("v1", "v1beta2", "v1beta1")
DEFAULT_EXCLUSIONS = (r"^.*\.sig$",)


def tags_name(repository: str, exclusions: Sequence[str], view: str = "") -> str:
    """The name by which tags of an image (canonical) are kept: what another exclusion list leaves is another list, and
    so is what another `view` (`ImageRepository.view`) shows.
    """
    seen = f"{repository} as {view} sees it" if view else repository
    if tuple(exclusions) in ((), DEFAULT_EXCLUSIONS):
        return seen
    return f"{seen} without {json.dumps(list(exclusions))}"


LEAST_TIMEOUT = 1.0
MOST_EXCLUSIONS = 25


@frozen(kw_only=True)
class ImageRepository(Model):
    """An image to scan. Times are in seconds; `exclusion_list` holds regular expressions of tags to leave out.

    `access_from` has sets of labels: policies of namespaces with one of these sets may use it; None where only those of
    its own namespace may.
    """

    image: str
    interval_seconds: float
    timeout_seconds: float
    secret_ref: LocalReference | None = None
    cert_secret_ref: LocalReference | None = None
    proxy_secret_ref: LocalReference | None = None
    service_account_name: str | None = None
    exclusion_list: tuple[str, ...] = DEFAULT_EXCLUSIONS
    provider: str = "generic"
    insecure: bool = False
    suspend: bool = False
    access_from: tuple[dict[str, str], ...] | None = None

    @property
    def view(self) -> str:
        """Empty where the registry is asked as anybody would ask it, and all see the same. Else the object's own name:
        a login may see what others may not, and through a proxy, an authority of its own or plain http anything can be
        told in the registry's name, which must not reach the policies of others.
        """
        of_its_own = (self.secret_ref, self.service_account_name, self.cert_secret_ref, self.proxy_secret_ref)
        return f"{self.key.namespace}/{self.key.name}" if self.insecure or any(of_its_own) else ""

    @classmethod
    def from_object(cls, obj: Object) -> ImageRepository:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        interval = fields.seconds("interval", required=True) or 0.0
        timeout = fields.seconds("timeout", pattern=SHORT_DURATION)
        exclusions = fields.texts("exclusionList")
        if len(exclusions) > MOST_EXCLUSIONS:
            fields.wrong("exclusionList", f"must have at most {MOST_EXCLUSIONS} items")
        access_from = fields.child("accessFrom")
        selectors = access_from.children("namespaceSelectors") if access_from else ()
        return cls(
            key=key,
            version=version,
            image=fields.text("image", required=True),
            interval_seconds=interval,
            timeout_seconds=max(LEAST_TIMEOUT, interval if timeout is None else timeout),
            secret_ref=local_reference(fields, "secretRef"),
            cert_secret_ref=local_reference(fields, "certSecretRef"),
            proxy_secret_ref=local_reference(fields, "proxySecretRef"),
            service_account_name=fields.optional_text("serviceAccountName"),
            exclusion_list=exclusions or DEFAULT_EXCLUSIONS,
            provider=fields.text("provider", "generic", choices=("generic", "aws", "azure", "gcp")),
            insecure=fields.flag("insecure"),
            suspend=fields.flag("suspend"),
            access_from=tuple(one.text_map("matchLabels") for one in selectors) if access_from else None,
            unknown_fields=fields.finish(),
        )
