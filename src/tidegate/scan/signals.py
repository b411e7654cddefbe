"""Which commits and runs announce tags of which image, kept by the engine's triggers.

Nothing of it is stored: every watch begins with a list, so after a restart all is known again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from tidegate.base.errors import InvalidInput
from tidegate.engine.outcome import Trigger
from tidegate.kinds.accepting import moment
from tidegate.kinds.common import mapping
from tidegate.kinds.git_repository import BUILDS, BUILDS_NOTHING
from tidegate.kinds.image_repository import GROUP, KIND
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import parse_repository
from tidegate.scan.expecting import Signal
from tidegate.scan.policies import POLICY, has_lost_tags, scanned_by
from tidegate.scan.relations import Automation, Relations

AUTOMATION = (GROUP, "ImageUpdateAutomation")
SOURCE = ("source.toolkit.fluxcd.io", "GitRepository")
RUN = ("tidegate.dev", "WorkflowRun")


class Signals:
    """`told` are the registries' hosts that tell us of each tag by themselves: nothing need be expected of them."""

    def __init__(self, told: Collection[str] = ()):
        self._told = frozenset(told)
        self._relations = Relations()
        self._commits: dict[ObjectKey, tuple[str, Signal | None]] = {}
        self._runs: defaultdict[str, dict[ObjectKey, Signal]] = defaultdict(dict)

    def triggers(self) -> list[Trigger]:
        """What keeps the index, and wakes the images that a new commit or run announces tags of."""
        return [
            Trigger(*POLICY, self._policy_changed, relevant=_of_policy),
            Trigger(*AUTOMATION, self._automation_changed, relevant=_of_automation),
            Trigger(*SOURCE, self._source_changed, relevant=_of_source),
            Trigger(*RUN, self._run_changed, relevant=_of_run),
        ]

    def of(self, repository: ObjectKey, image: str) -> Iterator[Signal]:
        """What announces tags of an image, whose ImageRepository is `repository`."""
        if self._tells(image):
            return
        for key in sorted({automation.source for automation in self._relations.automations_of(repository)}):
            name, commit = self._commits.get(key, ("", None))
            if commit is not None and not self._relations.is_pushed(commit.cause):
                yield commit
            yield from self._runs.get(name, {}).values()

    def _tells(self, image: str) -> bool:
        try:
            return parse_repository(image).registry in self._told
        except InvalidInput:
            return True

    def _policy_changed(self, policy: Object, repositories: Sequence[Object]) -> list[ObjectKey]:
        key, reference = key_of(policy), mapping(mapping(policy.get("spec")).get("imageRepositoryRef"))
        namespace, name = str(reference.get("namespace") or key.namespace), reference.get("name")
        self._relations.set_policy(key, ObjectKey(GROUP, KIND, namespace, str(name)) if name else None)
        return scanned_by(policy, repositories)

    def _automation_changed(self, automation: Object, _repositories: Sequence[Object]) -> list[ObjectKey]:
        key, reference = key_of(automation), mapping(mapping(automation.get("spec")).get("sourceRef"))
        status = mapping(automation.get("status"))
        source = ObjectKey(*SOURCE, str(reference.get("namespace") or key.namespace), str(reference.get("name")))
        observed = frozenset(map(str, mapping(status.get("observedPolicies"))))
        known = Automation(key, source, status.get("lastPushCommit"), observed) if reference else None
        self._relations.set_automation(key, known)
        return []

    def _source_changed(self, source: Object, repositories: Sequence[Object]) -> list[ObjectKey]:
        key = key_of(source)
        if source.get("spec") is None:
            self._commits.pop(key, None)
            return []
        name = _name_in(str(mapping(source["spec"]).get("url", "")))
        if _builds(source) == BUILDS_NOTHING:
            # What the commit before it has started goes on.
            self._commits[key] = name, self._commits.get(key, ("", None))[1]
            return []
        self._commits[key] = name, _commit_signal(key, source)
        return self._announced(repositories, {key})

    def _run_changed(self, run: Object, repositories: Sequence[Object]) -> list[ObjectKey]:
        key, name = key_of(run), str(mapping(run.get("spec")).get("repository", "")).lower()
        for runs in self._runs.values():
            runs.pop(key, None)
        if name and (signal := _run_signal(run)) is not None:
            self._runs[name][key] = signal
        return self._announced(repositories, {one for one, (of, _) in self._commits.items() if of == name})

    def _announced(self, repositories: Sequence[Object], sources: set[ObjectKey]) -> list[ObjectKey]:
        wanted = self._relations.repositories_of(sources)
        images = {key_of(one): str(mapping(one.get("spec")).get("image", "")) for one in repositories}
        return [key for key, image in images.items() if key in wanted and not self._tells(image)]


def _of_policy(policy: Object) -> object:
    return mapping(policy.get("spec")).get("imageRepositoryRef"), has_lost_tags(policy)


def _of_automation(automation: Object) -> object:
    status = mapping(automation.get("status"))
    observed = sorted(mapping(status.get("observedPolicies")))
    return mapping(automation.get("spec")).get("sourceRef"), status.get("lastPushCommit"), observed


def _of_source(source: Object) -> object:
    return mapping(source.get("spec")).get("url"), _commit_of(source)


def _of_run(run: Object) -> object:
    status = mapping(run.get("status"))
    return status.get("status"), status.get("conclusion")


def _commit_of(source: Object) -> str:
    """`main@sha1:COMMIT` → COMMIT."""
    return str(mapping(mapping(source.get("status")).get("artifact")).get("revision") or "").rpartition(":")[2]


def _name_in(url: str) -> str:
    """OWNER/NAME, as a run names its repository, in a source's URL."""
    return "/".join(url.lower().rstrip("/").removesuffix(".git").replace(":", "/").split("/")[-2:])


def _builds(source: Object) -> str | None:
    metadata = mapping(mapping(mapping(source.get("status")).get("artifact")).get("metadata"))
    return metadata.get(BUILDS)


def _commit_signal(key: ObjectKey, source: Object) -> Signal | None:
    """A commit from which an image may be built, and by which workflow, where the source says it."""
    commit = _commit_of(source)
    since = moment(mapping(mapping(source.get("status")).get("artifact")).get("lastUpdateTime"))
    if since is None or not commit:
        return None
    starting = f", which starts {builds}" if (builds := _builds(source)) else ""
    return Signal(commit, "NewCommit", f"{key} has the commit {commit[:12]}{starting}", since)


def _run_signal(run: Object) -> Signal | None:
    """A run that is under way, or has ended well."""
    key, status = key_of(run), mapping(run.get("status"))
    if status.get("status") != "completed":
        since = moment(status.get("startedAt")) or moment(run["metadata"].get("creationTimestamp"))
        return _signal(key, "RunUnderWay", f"{key} is under way", since)
    if status.get("conclusion") != "success":
        return None
    return _signal(key, "RunEnded", f"{key} has ended", moment(status.get("completedAt")))


def _signal(key: ObjectKey, reason: str, words: str, since: datetime | None) -> Signal | None:
    return None if since is None else Signal(str(key), reason, words, since)
