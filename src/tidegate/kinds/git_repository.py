"""GitRepository, of source.toolkit.fluxcd.io: a Git repository and which of its commits is followed. Pure."""

from __future__ import annotations

import re
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.common import GitReference, LocalReference, Model, git_reference, identity, local_reference
from tidegate.kinds.fields import SHORT_DURATION, Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "source.toolkit.fluxcd.io", "GitRepository", ("v1", "v1beta2", "v1beta1")
DEFAULT_BRANCH = "master"
DEFAULT_TIMEOUT = 60.0
PROVIDERS = ("generic", "aws", "azure", "github")
BUILDS, BUILDS_NOTHING = "tidegate.dev/builds", "nothing"
"""In `status.artifact.metadata`: the workflows, with commas between, that the new commit starts and that may push an
image. It is not there where the commit has no workflows, so that nobody knows what builds it."""
_URL = re.compile(r"(http|https|ssh|file)://.*")


def bare_url(url: str) -> str:
    """A repository's URL, be it written with `.git` or without."""
    return url.rstrip("/").removesuffix(".git")


@frozen
class Include:
    """Another repository's files, laid into this one's."""

    repository: str
    from_path: str = ""
    to_path: str = ""


@frozen(kw_only=True)
class GitRepository(Model):
    """A source. Times are in seconds; `ignore` is in the format of .gitignore."""

    url: str
    interval_seconds: float
    timeout_seconds: float = DEFAULT_TIMEOUT
    ref: GitReference = field(default_factory=GitReference)
    secret_ref: LocalReference | None = None
    proxy_secret_ref: LocalReference | None = None
    provider: str = "generic"
    verify_mode: str | None = None
    verify_secret_ref: LocalReference | None = None
    ignore: str | None = None
    suspend: bool = False
    recurse_submodules: bool = False
    include: tuple[Include, ...] = ()
    sparse_checkout: tuple[str, ...] = ()

    @property
    def branch(self) -> str:
        """The branch that is followed where nothing more exact is named."""
        return self.ref.branch or DEFAULT_BRANCH

    @classmethod
    def from_object(cls, obj: Object) -> GitRepository:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        for unused in ("gitImplementation", "accessFrom", "serviceAccountName"):
            fields.raw(unused)
        verify = fields.child("verify")
        return cls(
            key=key,
            version=version,
            url=fields.text("url", required=True, pattern=_URL),
            interval_seconds=fields.seconds("interval", required=True) or 0.0,
            timeout_seconds=fields.seconds("timeout", pattern=SHORT_DURATION) or DEFAULT_TIMEOUT,
            ref=git_reference(fields, "ref") or GitReference(),
            secret_ref=local_reference(fields, "secretRef"),
            proxy_secret_ref=local_reference(fields, "proxySecretRef"),
            provider=fields.text("provider", "generic", choices=PROVIDERS),
            verify_mode=_verify_mode(verify) if verify else None,
            verify_secret_ref=local_reference(verify, "secretRef", required=True) if verify else None,
            ignore=fields.optional_text("ignore"),
            suspend=fields.flag("suspend"),
            recurse_submodules=fields.flag("recurseSubmodules"),
            include=tuple(_include(one) for one in fields.children("include")),
            sparse_checkout=fields.texts("sparseCheckout"),
            unknown_fields=fields.finish(),
        )


def _verify_mode(verify: Fields) -> str:
    mode = verify.text("mode", "HEAD", choices=("head", "HEAD", "Tag", "TagAndHEAD"))
    return "HEAD" if mode == "head" else mode


def _include(fields: Fields) -> Include:
    repository = local_reference(fields, "repository", required=True)
    return Include(repository.name if repository else "", fields.text("fromPath"), fields.text("toPath"))
