"""ImagePolicy, of image.toolkit.fluxcd.io: which of a repository's tags is the one to run. Pure."""

from __future__ import annotations

from tidegate.base.frozen import frozen
from tidegate.kinds.common import Model, identity
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "image.toolkit.fluxcd.io", "ImagePolicy", ("v1", "v1beta2", "v1beta1")
CHOICES = ("semver", "alphabetical", "numerical")
ORDERS = ("asc", "desc")
DEFAULT_DIGEST_INTERVAL = 600.0


@frozen(kw_only=True)
class ImagePolicy(Model):
    """A policy. Exactly one of `semver` (a range), `alphabetical` and `numerical` (an order) is set.

    `interval_seconds` is how often the digest is looked up again where `digest_policy` is Always: Flux wants it then,
    so None is for the controller to refuse; a zero stands for the default.
    """

    repository_name: str
    repository_namespace: str | None = None
    semver: str | None = None
    alphabetical: str | None = None
    numerical: str | None = None
    filter_pattern: str = ""
    filter_extract: str = ""
    digest_policy: str = "Never"
    interval_seconds: float | None = None
    suspend: bool = False

    @classmethod
    def from_object(cls, obj: Object) -> ImagePolicy:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        repository = fields.inside("imageRepositoryRef", required=True)
        filters = fields.inside("filterTags")
        semver, alphabetical, numerical = _choice(fields)
        digest_policy, interval = _digest(fields)
        return cls(
            key=key,
            version=version,
            repository_name=repository.text("name", required=True),
            repository_namespace=repository.optional_text("namespace"),
            semver=semver,
            alphabetical=alphabetical,
            numerical=numerical,
            filter_pattern=filters.text("pattern"),
            filter_extract=filters.text("extract"),
            digest_policy=digest_policy,
            interval_seconds=interval,
            suspend=fields.flag("suspend"),
            unknown_fields=fields.finish(),
        )


def _choice(fields: Fields) -> tuple[str | None, str | None, str | None]:
    """The range, the alphabetical and the numerical order: exactly one is there."""
    policy = fields.inside("policy", required=True)
    semver, alphabetical, numerical = (policy.child(name) for name in CHOICES)
    given = [name for name in CHOICES if policy.has(name)]
    if len(given) != 1 and fields.has("policy"):
        policy.wrong(None, f"needs exactly one of {', '.join(CHOICES)}, not {' and '.join(given) or 'none'}")
    return (
        semver.text("range", required=True) if semver else None,
        alphabetical.text("order", "asc", choices=ORDERS) if alphabetical else None,
        numerical.text("order", "asc", choices=ORDERS) if numerical else None,
    )


def _digest(fields: Fields) -> tuple[str, float | None]:
    policy = fields.text("digestReflectionPolicy", "Never", choices=("Never", "IfNotPresent", "Always"))
    interval = fields.seconds("interval")
    if policy != "Always" and fields.has("interval"):
        fields.wrong("interval", "is only accepted when spec.digestReflectionPolicy is set to 'Always'")
    return policy, DEFAULT_DIGEST_INTERVAL if interval == 0 else interval
