"""The ways of a repository that is there: where its applications and Flux objects lie, whose images, which versions,
which branch. What a new application needs of it, and nothing is made up that the repository already says. Pure.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.kinds.common import Model, SourceReference
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.kustomization import Kustomization
from tidegate.lint.catalogue import Catalogue
from tidegate.lint.known import Known
from tidegate.lint.patched import NAMES
from tidegate.lint.repository import Found, read_repository
from tidegate.lint.starting import Starts

FLUX_NAMESPACE = "flux-system"
DEFAULT_APPS = "apps"
DEFAULT_PLATFORMS = ("linux/arm/v7", "linux/arm64", "linux/amd64")
_PLATFORM = re.compile(r"[a-z0-9]+(?:/[a-z0-9]+){1,2}", re.ASCII)
_ACTION = re.compile(r"[\w.\-]+(?:/[\w.\-]+)+@[\w.\-/]+", re.ASCII)
M = TypeVar("M", bound=Model)
T = TypeVar("T")


@frozen
class Survey:
    """What is known of a repository, as far as one cluster's objects are meant. `folder` is where its Flux objects lie,
    `anchor` one of their files, `apps` where applications lie, `prefix` what images' names begin with (None where
    nothing says it), `actions` the refs in use by the actions' names.
    """

    known: Known
    images: Sequence[Found[ImageRepository]]
    policies: Sequence[Found[ImagePolicy]]
    automations: Sequence[Found[ImageUpdateAutomation]]
    kustomizations: Sequence[Found[Kustomization]]
    sources: Sequence[Found[GitRepository]]
    folder: str
    anchor: str
    apps: str
    prefix: str | None

    @property
    def namespace(self) -> str:
        """Where Flux's objects are."""
        objects = (*self.policies, *self.automations, *self.sources, *self.kustomizations)
        return most_common(found.model.key.namespace for found in objects) or FLUX_NAMESPACE

    @property
    def root(self) -> str:
        """The folder that the cluster applies as a whole: `clusters/NAME`, else where Flux's objects lie."""
        parts = self.folder.split("/")
        return "/".join(parts[:2]) if parts[0] == "clusters" else self.folder

    @property
    def source(self) -> SourceReference:
        """The GitRepository that holds these files: the one that the automations or Kustomizations name."""
        references = [found.model.source_ref for found in self.automations]
        references += [found.model.source_ref for found in self.kustomizations]
        chosen = most_common(one for one in references if one.kind == "GitRepository")
        if chosen is not None:
            return chosen
        return SourceReference("GitRepository", self.sources[0].model.key.name if self.sources else FLUX_NAMESPACE)

    @property
    def branch(self) -> str:
        """The branch that people push to."""
        read = most_common(found.model.checkout_branch for found in self.automations)
        name = self.source.name
        own = (found.model.ref.branch for found in self.sources if found.model.key.name == name)
        return read or next((branch for branch in own if branch), None) or "main"

    @property
    def platforms(self) -> Sequence[str]:
        """What the other applications are built for."""
        builds = (build.platforms or () for found in self.known.builds.values() for build in found)
        return most_common(one for one in builds if all(map(_PLATFORM.fullmatch, one))) or DEFAULT_PLATFORMS

    @property
    def actions(self) -> Mapping[str, str]:
        """`owner/name` → the ref that most of the workflows' steps use."""
        workflows = self.known.repository.workflows.values()
        steps = (step for one in workflows for job in one.jobs.values() for step in job.steps)
        used = Counter(step.uses for step in steps if step.uses and _ACTION.fullmatch(step.uses))
        return {uses.partition("@")[0].lower(): uses.partition("@")[2] for uses, _ in reversed(used.most_common())}

    def version(self, kind: str, group: str) -> str:
        """The apiVersion in use for a kind of Flux's, else what Flux serves today."""
        objects: Sequence[Found[Model]] = (
            *self.images, *self.policies, *self.automations, *self.kustomizations, *self.sources
        )  # fmt: skip
        same = [found.raw["apiVersion"] for found in objects if found.model.key.kind == kind]
        alike = [found.raw["apiVersion"] for found in objects if found.model.key.group == group]
        return most_common(same) or most_common(alike) or f"{group}/v1"


def survey(files: Files, cluster: str | None = None) -> Survey:
    """Look at a repository. Raises NotFound where no Flux objects are in it, InvalidInput where several clusters' are
    and `cluster` does not say which.
    """
    repository = read_repository(files)
    known = Known(repository, Starts(repository), Catalogue(repository))
    automations = _within(repository.automations, cluster)
    policies, images = _within(repository.policies, cluster), _within(repository.images, cluster)
    sources, kustomizations = _within(repository.sources, cluster), _within(repository.kustomizations, cluster)
    groups: Sequence[Sequence[Found[Model]]] = (policies, images, automations, sources, kustomizations)
    paths = next(([_path(found) for found in group] for group in groups if group), [])
    if not paths:
        raise NotFound(
            f"no Flux object is in {cluster or 'this repository'}, so nothing would deploy an application",
            remedy="`tidegate init` lays out a repository; or name another folder with --path or --cluster",
        )
    if cluster is None:
        _one_cluster(_path(found) for group in groups for found in group)
    folder = most_common(map(posixpath.dirname, paths)) or ""
    anchor = next((path for path in paths if posixpath.dirname(path) == folder), paths[0])
    apps = _apps(repository.markers, files)
    prefix = _prefix(images or repository.images, sources or repository.sources)
    return Survey(
        known, images, policies, automations, kustomizations, sources, folder, anchor, apps, prefix
    )  # fmt: skip


def most_common(values: Iterable[T | None]) -> T | None:
    """The value that is there most often, of equals the first; None where there is none."""
    counted = Counter(value for value in values if value)
    return counted.most_common(1)[0][0] if counted else None


def _path(found: Found[M]) -> str:
    return found.place.document.file


def _within(objects: Sequence[Found[M]], cluster: str | None) -> list[Found[M]]:
    return [found for found in objects if cluster is None or f"{_path(found)}/".startswith(f"{cluster}/")]


def _one_cluster(paths: Iterable[str]) -> None:
    parts = (path.split("/") for path in paths)
    clusters = sorted({"/".join(part[:2]) for part in parts if part[0] == "clusters" and len(part) > 2})
    if len(clusters) > 1:
        raise InvalidInput(
            f"several clusters are here: {', '.join(clusters)}", remedy=f"name one: --cluster {clusters[0]}"
        )


def _apps(marked: Iterable[str], files: Files) -> str:
    """The folder that holds a folder for each application: beside those that have marked values."""
    parents = (posixpath.dirname(posixpath.dirname(path)) for path in marked)
    found = most_common(parent for parent in parents if not parent.startswith(("clusters", ".")))
    if found is not None:
        return found
    listed = {posixpath.dirname(path) for path in files.paths() if posixpath.basename(path) in NAMES}
    applied = [path for path in listed if posixpath.basename(path) == DEFAULT_APPS]
    return min(applied, key=len) if applied else DEFAULT_APPS


def _prefix(images: Sequence[Found[ImageRepository]], sources: Sequence[Found[GitRepository]]) -> str | None:
    """`ghcr.io/owner`: as other images', else of GitHub's registry for the repository's owner."""
    found = most_common(image.model.image.rpartition("/")[0] for image in images)
    if found is not None:
        return found
    for source in sources:
        host, _, path = source.model.url.partition("github.com")
        owner = path.strip(":/").partition("/")[0].lower()
        if host and owner:
            return f"ghcr.io/{owner}"
    return None
