"""Runner, of tidegate.dev: a hosted repository whose workflows run here. Without one, nothing runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.common import LocalReference, Model, SourceReference, identity, local_reference, mapping
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "tidegate.dev", "Runner", ("v1alpha1",)
ISOLATIONS = ("auto", "none", "namespaces")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+", re.ASCII)


@frozen(kw_only=True)
class Runner(Model):
    """Whose workflows run, and how. `repository` is `OWNER/NAME`; `source_ref` names a GitRepository to follow where
    the repository is not hosted here; `refs` is the status: the last commit of each ref whose push was handled.
    """

    repository: str
    source_ref: SourceReference | None = None
    suspend: bool = False
    isolation: str = "auto"
    max_jobs: int = 1
    secret_ref: LocalReference | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_object(cls, obj: Object) -> Runner:
        """Read an object; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        source = fields.child("sourceRef")
        refs = mapping(mapping(obj.get("status")).get("refs"))
        return cls(
            key=key,
            version=version,
            repository=fields.text("repository", required=True, pattern=REPOSITORY),
            source_ref=_source(source) if source else None,
            suspend=fields.flag("suspend"),
            isolation=fields.text("isolation", "auto", choices=ISOLATIONS),
            max_jobs=fields.integer("maxJobs", 1, least=1),
            secret_ref=local_reference(fields, "secretRef"),
            variables=fields.text_map("variables"),
            refs={str(ref): str(commit) for ref, commit in refs.items()},
            unknown_fields=fields.finish(),
        )


def _source(fields: Fields) -> SourceReference:
    fields.raw("apiVersion")
    kind = fields.text("kind", "GitRepository", choices=("GitRepository",))
    return SourceReference(kind, fields.text("name", required=True), fields.optional_text("namespace"))
