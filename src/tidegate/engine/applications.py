"""One row for each application: how far its last commit has come, what answers now, and what it waits on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.base.frozen import frozen
from tidegate.engine import journey
from tidegate.engine.causes import Way, causes, notes_of
from tidegate.engine.journey import Objects
from tidegate.kinds.objects import Object, key_of
from tidegate.kinds.pods import is_ready, pods_of


@frozen
class Application:
    """An image's way: what was built last, selected, committed, applied, and what answers (`version`, `url`). Empty
    where not yet. `waits_on` is the first cause, `notes` are the others and what is only kept here.
    """

    namespace: str
    name: str
    image: str
    commit: str
    version: str
    selected: str
    committed: str
    deployed: str
    url: str
    waits_on: str
    notes: tuple[str, ...] = ()


def applications(objects: Objects) -> list[Application]:
    """A row for each ImagePolicy, by namespace and name."""
    return [_application(_way(policy, objects)) for policy in objects.get("ImagePolicy", ())]


def _way(policy: Object, objects: Objects) -> Way:
    repositories = objects.get("ImageRepository", ())
    image = journey.image_of(policy, repositories)
    deployment = journey.deployment_of(image, objects.get("Deployment", ()))
    return Way(
        image=image,
        policy=policy,
        repository=journey.repository_of(policy, repositories),
        automation=journey.automation_of(policy, objects.get("ImageUpdateAutomation", ())),
        deployment=deployment,
        kustomizations=_chain(deployment, objects.get("Kustomization", ())),
        objects=objects,
    )


def _chain(deployment: Object | None, kustomizations: Sequence[Object]) -> list[Object]:
    """The Kustomization that applied the Deployment, the one that applied that one, and so on; all of them while there
    is no Deployment, since any may be the one that is to bring it.
    """
    if deployment is None:
        return list(kustomizations)
    found: list[Object] = []
    applied = journey.kustomization_of(deployment, kustomizations)
    while applied is not None and applied not in found:
        found.append(applied)
        applied = journey.kustomization_of(applied, kustomizations)
    return found


def _application(way: Way) -> Application:
    policy, deployment = way.policy, way.deployment
    run = journey.last_run(way.image, way.objects.get("WorkflowRun", ()))
    owner = way.kustomizations[0] if deployment and way.kustomizations else None
    version = _answering(way)
    first, *others = causes(way) or [""]
    return Application(
        namespace=key_of(policy).namespace,
        name=key_of(deployment).name if deployment else key_of(policy).name,
        image=way.image,
        commit=str((run or {}).get("spec", {}).get("commit", "")),
        version=version,
        selected=str(journey.status_map(policy, "latestRef").get("tag", "")),
        committed=str((way.automation or {}).get("status", {}).get("lastPushCommit", "")),
        deployed=str((owner or {}).get("status", {}).get("lastAppliedRevision", "")),
        url=journey.service_url(deployment, way.objects.get("Service", ())) if version else "",
        waits_on=first,
        notes=(*others, *notes_of(way)),
    )


def _answering(way: Way) -> str:
    """The tag that answers now: of the newest pod that is ready, which may be an older one than is wanted."""
    if way.deployment is None:
        return ""
    ready = [pod for pod in pods_of(way.deployment, way.objects.get("Pod", ())) if is_ready(pod)]
    tags = (journey.tag_in(way.image, pod.get("spec") or {}) for pod in ready)
    return next((tag for tag in tags if tag), "") or journey.running_tag(way.image, way.deployment)
