"""The lines of a pushed commit after its runs: selection, the automation's commit, deployment, answer.

They only tell what the objects say, each thing once, and only of this commit: what an earlier or later one came to is
told to its own pusher.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from tidegate.base.frozen import frozen
from tidegate.engine import journey
from tidegate.engine.applications import applications
from tidegate.engine.causes import notes
from tidegate.engine.ports import Store
from tidegate.engine.view import Objects, View
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, key_of
from tidegate.kinds.pods import troubles

STATION_TIMEOUT = 120.0
WORDS_LIMIT = 5
"""Lines about what is waited for, of one commit at one station: a crash loop has new words for ever."""


@frozen
class End:
    """A station's last lines; with `superseded` nothing more is to come of this commit."""

    lines: tuple[str, ...]
    superseded: bool = False


Look = Callable[[Objects], "str | End | None"]
"""A station's next line, its end, or None where there is nothing new."""


async def way_back(
    store: Store,
    commit: str,
    *,
    is_deployed: Callable[[Objects], bool],
    is_on_top: Callable[[str], Awaitable[bool]],
) -> AsyncIterator[str]:
    """The lines of a commit whose runs have ended. `is_deployed` says whether anything deploys its branch, `is_on_top`
    whether an automation's commit was made after it.
    """
    async with View(store, journey.KINDS) as view:
        runs = [run for run in view.objects["WorkflowRun"] if run.get("spec", {}).get("commit") == commit]
        if any((run.get("status") or {}).get("conclusion") != "success" for run in runs):
            return
        images = [image for run in runs for image in journey.pushed_images(run)]
        try:
            for image in images:
                async for line in _image_lines(view, commit, image, is_on_top):
                    yield line
            if not images and is_deployed(view.objects):
                async for line in _lines(view, Applying(commit).look, []):
                    yield line
        except TimeoutError:
            waits = [row.waits_on for row in applications(view.objects) if row.waits_on]
            yield f"still waiting for {'; '.join(waits) or 'the deployment'}: see tidegate status"


async def _image_lines(
    view: View, commit: str, reference: str, is_on_top: Callable[[str], Awaitable[bool]]
) -> AsyncIterator[str]:
    image, _, tag = reference.rpartition(":")
    policies = [policy for policy in view.objects["ImagePolicy"] if _selects(policy, image, view.objects)]
    if not policies:
        return
    policy = await view.until(lambda objects: _selected(objects, image, tag), timeout=STATION_TIMEOUT)
    yield f"selected {tag} by the policy {key_of(policy).namespace}/{key_of(policy).name}"
    automation = await view.until(lambda objects: decided_by(objects, policy, tag), timeout=STATION_TIMEOUT)
    committed = str(automation["status"].get("lastPushCommit", ""))
    answering: list[Look] = [Answering(image, tag).look]
    if committed and await is_on_top(committed):
        yield f"committed {committed[:12]} by {key_of(automation)}"
    else:
        yield f"{key_of(automation)} has committed nothing for {tag}: {journey.ready_message(automation)}"
        committed, answering = commit, []
    applying: list[Look] = [Applying(committed).look] if view.objects["Kustomization"] else []
    ends: list[End] = []
    for look in [*applying, *answering]:
        async for line in _lines(view, look, ends):
            yield line
        if ends[-1].superseded:
            return


async def _lines(view: View, look: Look, ends: list[End]) -> AsyncIterator[str]:
    """A station's lines as they come; its end is added to `ends`."""
    while True:
        step: str | End = await view.until(look, timeout=STATION_TIMEOUT)
        if isinstance(step, str):
            yield step
            continue
        for line in step.lines:
            yield line
        ends.append(step)
        return


class Applying:
    """What becomes of a commit in the Kustomizations that follow it."""

    def __init__(self, commit: str):
        self._commit = commit
        self._seen = False
        self._told: set[str] = set()

    def look(self, objects: Objects) -> str | End | None:
        """What is waited for, then how each has ended. It ends early where a newer commit took this one's place."""
        following = _following(objects, self._commit)
        if self._seen and not following:
            newer = ", ".join(sorted({_revision(source) for source in objects["GitRepository"]} - {""}))
            return End((f"{self._commit[:12]} is no longer what is deployed: {newer} took its place",), superseded=True)
        self._seen = self._seen or bool(following)
        done = [one for one in following if _is_applied(one, self._commit) or _trouble(one, self._commit)]
        if done and len(done) == len(following):
            return End(tuple(line for one in done for line in self._ending(one)))
        for one in following:
            words = _waits(one, self._commit)
            if words and words not in self._told and len(self._told) < WORDS_LIMIT:
                self._told.add(words)
                return words
        return None

    def _ending(self, kustomization: Object) -> list[str]:
        if trouble := _trouble(kustomization, self._commit):
            return [f"error: {key_of(kustomization)} can't apply {self._commit[:12]}: {trouble}"]
        return [f"applied {self._commit[:12]} by {key_of(kustomization)}", *notes([kustomization])]


class Answering:
    """Until the Deployment of an image runs a tag in full."""

    def __init__(self, image: str, tag: str):
        self._image = image
        self._tag = tag
        self._told: set[str] = set()

    def look(self, objects: Objects) -> str | End | None:
        """Why a pod does not come up, then where the answer is; the end too where another tag is selected by now."""
        deployment = journey.deployment_of(self._image, objects["Deployment"])
        if journey.running_tag(self._image, deployment) == self._tag:
            url = journey.service_url(deployment, objects["Service"])
            answer = (f"answers at {url}",) if url else ()
            return End((f"running {self._image}:{self._tag}", *answer))
        selected = {_latest(policy) for policy in objects["ImagePolicy"] if _selects(policy, self._image, objects)}
        if selected and (self._image, self._tag) not in selected:
            return End((f"{self._tag} is no longer what is selected for {self._image}",), superseded=True)
        if deployment is not None and journey.tag_of(self._image, deployment) == self._tag:
            return self._why(deployment, objects)
        return None

    def _why(self, deployment: Object, objects: Objects) -> str | None:
        words = troubles(deployment, objects["Pod"])
        known = ":".join(words.split(":")[:2])  # the pod and the reason; the rest counts on
        if not words or known in self._told or len(self._told) >= WORDS_LIMIT:
            return None
        self._told.add(known)
        return f"{key_of(deployment)} is not available yet: {words}"


def _following(objects: Objects, commit: str) -> list[Object]:
    """The Kustomizations of the sources that are at the commit."""
    at = [source for source in objects["GitRepository"] if _revision(source).endswith(commit)]
    return [one for one in objects["Kustomization"] if any(is_source(one, source) for source in at)]


def _revision(source: Object) -> str:
    return str(((source.get("status") or {}).get("artifact") or {}).get("revision", ""))


def is_source(kustomization: Object, source: Object) -> bool:
    """Whether a Kustomization takes its files from a GitRepository."""
    reference = kustomization.get("spec", {}).get("sourceRef") or {}
    namespace = reference.get("namespace") or key_of(kustomization).namespace
    return (namespace, reference.get("name")) == (key_of(source).namespace, key_of(source).name)


def _is_applied(kustomization: Object, commit: str) -> bool:
    return str((kustomization.get("status") or {}).get("lastAppliedRevision")).endswith(commit)


def _is_attempted(kustomization: Object, commit: str) -> bool:
    attempted = str((kustomization.get("status") or {}).get("lastAttemptedRevision")).endswith(commit)
    return attempted and not _is_applied(kustomization, commit)


def _trouble(kustomization: Object, commit: str) -> str:
    """Why a commit that was attempted is not applied; empty where it is, or is still on its way."""
    ready = find((kustomization.get("status") or {}).get("conditions") or [], "Ready") or {}
    failed = _is_attempted(kustomization, commit) and ready.get("status") == "False"
    return str(ready.get("message", "")) if failed else ""


def _waits(kustomization: Object, commit: str) -> str:
    """What the health checks of a commit wait for."""
    healthy = find((kustomization.get("status") or {}).get("conditions") or [], "Healthy") or {}
    waits = _is_attempted(kustomization, commit) and healthy.get("status") == "Unknown"
    return f"{key_of(kustomization)} {healthy.get('message', '')}" if waits else ""


def _selects(policy: Object, image: str, objects: Objects) -> bool:
    return journey.image_of(policy, objects["ImageRepository"]) == image


def _latest(policy: Object) -> tuple[str, str]:
    latest = journey.status_map(policy, "latestRef")
    return str(latest.get("name", "")), str(latest.get("tag", ""))


def _selected(objects: Objects, image: str, tag: str) -> Object | None:
    return next((policy for policy in objects["ImagePolicy"] if _latest(policy) == (image, tag)), None)


def decided_by(objects: Objects, policy: Object, tag: str) -> Object | None:
    """The automation that has done what it is going to do about a policy's tag for now: it has looked at it, or says in
    a condition what the tag's commit waits for.
    """
    automation = journey.automation_of(policy, objects["ImageUpdateAutomation"])
    if automation is None or journey.observed_policy(policy, automation).get("tag") == tag:
        return automation
    waits = any(f"{tag}, of " in line or f"{tag}@" in line for line in journey.told_of(policy, automation))
    return automation if waits else None
