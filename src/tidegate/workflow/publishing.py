"""Whether a workflow may push an image, told from its steps alone. Pure.

Said too often it costs a few questions to a registry, said too seldom a wait for the next interval: so whatever could
push counts, and only steps that certainly don't are left out.
"""

from __future__ import annotations

import re

from tidegate.workflow.model import Job, Literal, Step, Workflow

_PUSHING_ACTION = re.compile(
    r"docker|image|container|build|push|publish|release|registry|buildah|podman|kaniko|bake|ko\b|jib"
)
_HARMLESS_ACTION = re.compile(r"docker/(?:setup-[\w-]+|login-action|metadata-action)@")
_PUSHING_SCRIPT = re.compile(
    r"\b(?:docker|podman|buildah|buildctl|nerdctl|skopeo|crane|regctl|oras|kaniko|bake|ko|jib\w*|pack|push|publish|deploy|"
    r"release|make|just|task|mvnw?|gradlew?|bazel)\b|\.sh\b|\./"
)


def may_push_image(workflow: Workflow) -> bool:
    """Whether any job calls another workflow, uses an action or runs a script that could push an image."""
    return any(_job(job) for job in workflow.jobs.values())


def _job(job: Job) -> bool:
    return job.calls is not None or any(map(_step, job.steps))


def _step(step: Step) -> bool:
    if step.uses is not None:
        name = step.uses.lower()
        own = name.startswith(("./", "docker://"))
        return own or (_HARMLESS_ACTION.match(name) is None and _PUSHING_ACTION.search(name) is not None)
    if isinstance(step.run, Literal):
        return _PUSHING_SCRIPT.search(str(step.run.value)) is not None
    return step.run is not None and _PUSHING_SCRIPT.search(step.run.source) is not None
