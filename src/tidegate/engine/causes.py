"""Why an application is not where its last commit is: what it waits on, the nearest to the commit first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tidegate.base.frozen import frozen
from tidegate.engine import journey
from tidegate.engine.journey import Objects, not_ready
from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, annotation, key_of
from tidegate.kinds.pods import troubles
from tidegate.kinds.workflow_run import TITLE

GOOD = ("success", "skipped", "neutral")
HEALTH = ("HealthCheckFailed",)
TITLE_SHOWN = 60


@frozen
class Way:
    """The objects of an application's way; None where there is none yet."""

    image: str
    policy: Object
    repository: Object | None
    automation: Object | None
    deployment: Object | None
    kustomizations: Sequence[Object]
    objects: Objects


def causes(way: Way) -> list[str]:
    """What the application waits on, each in one reading; empty where it waits on nothing."""
    applying, waiting = _kustomizations(way)
    found = [
        *run_causes(way.image, way.objects.get("WorkflowRun", ())),
        *_selecting(way),
        *_stations([way.automation, *_sources(way)]),
        *applying,
        *_running(way),
        *waiting,
    ]
    return list(dict.fromkeys(found))


def run_causes(image: str, runs: Sequence[Object]) -> Iterator[str]:
    """The run that is not finished, and the newest of each workflow that failed: of the workflows that have pushed
    the image, or of all while none has.
    """
    unfinished = [run for run in runs if (run.get("status") or {}).get("status") != "completed"]
    if unfinished:
        yield f"the run {run_words(unfinished[-1])}"
    pushed = {_line_of(run) for run in journey.runs_of(image, runs)}
    newest: dict[object, Object] = {}
    for run in sorted(runs, key=_number):
        if run not in unfinished and (not pushed or _line_of(run) in pushed):
            newest[_line_of(run)] = run
    for run in newest.values():
        conclusion = (run.get("status") or {}).get("conclusion")
        if conclusion not in GOOD:
            yield f"the run {run_words(run)} ended with {conclusion}: see tidegate logs {key_of(run).name}"


def _line_of(run: Object) -> object:
    spec = run.get("spec") or {}
    return spec.get("repository"), spec.get("workflow"), spec.get("ref")


def _number(run: Object) -> tuple[int, str]:
    return int((run.get("spec") or {}).get("runNumber", 0)), str(run["metadata"].get("creationTimestamp", ""))


def run_words(run: Object) -> str:
    """A run's name, number and title."""
    title = (annotation(run, TITLE) or "")[:TITLE_SHOWN]
    return f"{key_of(run).name} (#{(run.get('spec') or {}).get('runNumber', '?')}{f' {title}' if title else ''})"


def _selecting(way: Way) -> Iterator[str]:
    """The scan's own error goes before the policy's words, which only say that there was no scan."""
    scanned = list(_stations([way.repository]))
    yield from scanned
    if not scanned:
        yield from _stations([way.policy])


def _stations(objects: Iterable[Object | None]) -> Iterator[str]:
    for obj in objects:
        if obj is not None and (words := suspended(obj) or not_ready(obj)):
            yield words


def suspended(obj: Object) -> str:
    """That an object is suspended, why where it says so, and how it goes on; empty where it is not."""
    if (obj.get("spec") or {}).get("suspend") is not True:
        return ""
    key = key_of(obj)
    ready = find((obj.get("status") or {}).get("conditions") or [], "Ready") or {}
    why = f" ({str(ready.get('message', '')).partition(chr(10))[0]})" if ready.get("status") == "False" else ""
    return f"{key} is suspended{why}: tidegate resume {key.kind.lower()} {key.name} -n {key.namespace}"


def _sources(way: Way) -> list[Object]:
    wanted = {_source_of(one) for one in way.kustomizations}
    return [one for one in way.objects.get("GitRepository", ()) if (key_of(one).namespace, key_of(one).name) in wanted]


def _source_of(kustomization: Object) -> tuple[str, str]:
    reference = (kustomization.get("spec") or {}).get("sourceRef") or {}
    return str(reference.get("namespace") or key_of(kustomization).namespace), str(reference.get("name"))


def _kustomizations(way: Way) -> tuple[list[str], list[str]]:
    """What keeps something from being applied, and what is applied but waits for health: the reason for that is the
    Deployment's, which is told before.
    """
    applying: list[str] = []
    waiting: list[str] = []
    for one in way.kustomizations:
        ready = find((one.get("status") or {}).get("conditions") or [], "Ready") or {}
        health = ready.get("status") == "Unknown" or ready.get("reason") in HEALTH
        (waiting if health else applying).extend(_stations([one]))
    return applying, waiting


def _running(way: Way) -> Iterator[str]:
    deployment, policy = way.deployment, key_of(way.policy)
    if deployment is None:
        yield f"a Deployment with the image {way.image}"
        return
    selected = str(journey.status_map(way.policy, "latestRef").get("tag", ""))
    if selected and journey.tag_of(way.image, deployment) != selected:
        yield _moving(way, selected, f"{policy.namespace}:{policy.name}")
    if not journey.is_available(deployment):
        why = _blocked(deployment) or troubles(deployment, way.objects.get("Pod", ()))
        yield f"{key_of(deployment)} to become available{f': {why}' if why else ''}"


def _moving(way: Way, selected: str, marker: str) -> str:
    """Who is to bring the selected tag to the Deployment."""
    if way.automation is None:
        return f"an ImageUpdateAutomation, to commit {selected}"
    if told := journey.told_of(way.policy, way.automation):
        return f"{key_of(way.automation)} to commit {selected}: {told[0]}"
    if journey.observed_policy(way.policy, way.automation).get("tag") != selected:
        return f"{key_of(way.automation)} to commit {selected}"
    committed = str((way.automation.get("status") or {}).get("observedSourceRevision", ""))
    applied = [str((one.get("status") or {}).get("lastAppliedRevision")) for one in way.kustomizations]
    if applied and all(revision == committed for revision in applied):
        line = f'# {{"$imagepolicy": "{marker}"}}'
        return f"a marker: no image in Git that is deployed has the line's end {line}, so {selected} was set nowhere"
    return f"the Kustomization to apply {selected}"


def _blocked(deployment: Object) -> str:
    """Why a Deployment can't run here at all."""
    stalled = find((deployment.get("status") or {}).get("conditions") or [], "Stalled") or {}
    return str(stalled.get("message", "")) if stalled.get("status") == "True" else ""


def notes(kustomizations: Iterable[Object]) -> list[str]:
    """What was applied but is only kept here, each Kustomization's words."""
    return [text for one in kustomizations if (text := _said(one, "Complete", "False"))]


def notes_of(way: Way) -> list[str]:
    """What else to know of an application: what is only kept here, which tag was taken back, which pull request could
    not be opened.
    """
    found = [*notes(way.kustomizations), _said(way.policy, "RolledBack", "True")]
    if way.automation is not None:
        found.append(_said(way.automation, "PullRequest", "False"))
    return [text for text in found if text]


def _said(obj: Object, kind: str, status: str) -> str:
    """The first line of a condition that has this status, and whose it is; empty where there is none."""
    condition = find((obj.get("status") or {}).get("conditions") or [], kind) or {}
    message = str(condition.get("message", "")).partition("\n")[0]
    return f"{key_of(obj)}: {message}" if condition.get("status") == status else ""


def nothing_yet(objects: Objects) -> str:
    """Why there is no application to show, and what to do."""
    sources, kustomizations = objects.get("GitRepository", ()), objects.get("Kustomization", ())
    found = [
        *run_causes("", objects.get("WorkflowRun", ())),
        *_stations([*sources, *kustomizations]),
    ]
    if found:
        return f"No applications yet. Waiting on {'; '.join(found)}"
    if kustomizations:
        return "No applications yet: nothing that was applied is an ImagePolicy. See tidegate get kustomizations -A"
    if sources:
        return "No applications yet: nothing is applied. Start with --path FOLDER, or create a Kustomization"
    return "No applications yet: push a repository with an ImagePolicy."
