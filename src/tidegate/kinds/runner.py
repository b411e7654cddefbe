"""Runner, of tidegate.dev: a hosted repository whose workflows run here. Without one, nothing runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds import quantity
from tidegate.kinds.common import LocalReference, Model, SourceReference, identity, local_reference, mapping
from tidegate.kinds.fields import Fields
from tidegate.kinds.forges import FORGES
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "tidegate.dev", "Runner", ("v1alpha1",)
ISOLATIONS = ("auto", "none", "namespaces", "container")
HOST_URL = re.compile(r"(https?|ssh)://[^\s?#]+", re.ASCII)
NETWORKS = ("auto", "none")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+", re.ASCII)
DEFAULT_TIMEOUT = 24 * 3600.0
LEAST_MEMORY, LEAST_PIDS, LEAST_STORAGE = 16 * 1024**2, 16, 1024**2
"""Less would not hold what runs a job's steps."""


@frozen
class JobLimits:
    """What all processes of one job may use together, in the terms of Kubernetes: cores, bytes of memory, bytes of its
    folders on disk, processes and threads. None where nothing is said.
    """

    cpu: float | None = None
    memory: int | None = None
    storage: int | None = None
    pids: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The form in which a job gets it."""
        return {"cpu": self.cpu, "memory": self.memory, "storage": self.storage, "pids": self.pids}


@frozen
class ActionHost:
    """A Git host: the address before `/OWNER/NAME`, and the Secret with the credential for it."""

    url: str
    secret_ref: LocalReference | None = None


@frozen
class PullRequests:
    """How the forge of the source is asked for open requests: whose API it has, where its host's name does not tell;
    the Secret with a token, where that is not the source's; and whether those of forks run.
    """

    api: str | None = None
    secret_ref: LocalReference | None = None
    forks: bool = True


@frozen(kw_only=True)
class Runner(Model):
    """Whose workflows run, and how. `repository` is `OWNER/NAME`; `source_ref` names a GitRepository to follow where
    the repository is not hosted here; `actions` is where those of other repositories come from; `image` is what jobs
    run in where `isolation` is container; `timeout_seconds` is the most that a job may say for itself; `refs` is the
    status: the last commit of each ref whose push was handled.
    """

    repository: str
    source_ref: SourceReference | None = None
    actions: ActionHost | None = None
    pull_requests: PullRequests | None = None
    suspend: bool = False
    isolation: str = "auto"
    network: str = "auto"
    image: str = ""
    max_jobs: int = 1
    limits: JobLimits = JobLimits()
    timeout_seconds: float = DEFAULT_TIMEOUT
    secret_ref: LocalReference | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_object(cls, obj: Object) -> Runner:
        """Read an object; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        source = fields.child("sourceRef")
        isolation, image = fields.text("isolation", "auto", choices=ISOLATIONS), fields.text("image", "").strip()
        if (isolation == "container") != bool(image):
            fields.wrong("image", "goes with isolation container, which needs it")
        refs = mapping(mapping(obj.get("status")).get("refs"))
        return cls(
            key=key,
            version=version,
            repository=fields.text("repository", required=True, pattern=REPOSITORY),
            source_ref=_source(source) if source else None,
            actions=_actions(actions) if (actions := fields.child("actions")) else None,
            pull_requests=_pull_requests(requests) if (requests := fields.child("pullRequests")) else None,
            suspend=fields.flag("suspend"),
            isolation=isolation,
            image=image,
            network=fields.text("network", "auto", choices=NETWORKS),
            max_jobs=fields.integer("maxJobs", 1, least=1),
            limits=_limits(fields.inside("resources").inside("limits")),
            timeout_seconds=fields.seconds("timeout") or DEFAULT_TIMEOUT,
            secret_ref=local_reference(fields, "secretRef"),
            variables=fields.text_map("variables"),
            refs={str(ref): str(commit) for ref, commit in refs.items()},
            unknown_fields=fields.finish(),
        )


def _source(fields: Fields) -> SourceReference:
    fields.raw("apiVersion")
    kind = fields.text("kind", "GitRepository", choices=("GitRepository",))
    return SourceReference(kind, fields.text("name", required=True), fields.optional_text("namespace"))


def _limits(fields: Fields) -> JobLimits:
    cpu = _amount(fields, "cpu", Fraction(1, 100), "0.01")
    memory = _amount(fields, "memory", LEAST_MEMORY, quantity.shown(LEAST_MEMORY))
    storage = _amount(fields, "ephemeral-storage", LEAST_STORAGE, quantity.shown(LEAST_STORAGE))
    pids = _amount(fields, "pids", LEAST_PIDS, str(LEAST_PIDS))
    return JobLimits(
        cpu=float(cpu) if cpu is not None else None,
        memory=int(memory) if memory is not None else None,
        storage=int(storage) if storage is not None else None,
        pids=int(pids) if pids is not None else None,
    )


def _amount(fields: Fields, name: str, least: Fraction | int, shown: str) -> Fraction | None:
    """A quantity of at least `least`; None where it is absent or wrong."""
    given = fields.raw(name)
    if given is None:
        return None
    found = quantity.parse(given)
    if found is None:
        fields.wrong(name, f"{given!r} is no quantity: write 500m, 2, 512Mi or 10Gi")
    elif found < least:
        fields.wrong(name, f"must be at least {shown}")
        return None
    return found


def _actions(fields: Fields) -> ActionHost:
    return ActionHost(fields.text("url", required=True, pattern=HOST_URL), local_reference(fields, "secretRef"))


def _pull_requests(fields: Fields) -> PullRequests:
    api = fields.text("api", choices=tuple(FORGES))
    return PullRequests(api or None, local_reference(fields, "secretRef"), fields.flag("forks", default=True))
