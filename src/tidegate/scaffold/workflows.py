"""The workflow of a new application: what starts it, which leaves out what automations write; what it builds. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from tidegate.kinds.reference import DEFAULT_REGISTRY, parse_repository
from tidegate.lint.remedies import escaped
from tidegate.scaffold.survey import Survey
from tidegate.scaffold.templates import WORKFLOW, fill
from tidegate.scaffold.yaml_text import scalar

GITHUB = "ghcr.io"
ACTIONS = {
    "checkout": ("actions/checkout", "v4"),
    "qemu": ("docker/setup-qemu-action", "v3"),
    "buildx": ("docker/setup-buildx-action", "v3"),
    "login": ("docker/login-action", "v3"),
    "build": ("docker/build-push-action", "v6"),
}
"""The actions, and the refs that are used where the repository has none of its own."""


def workflow_path(name: str) -> str:
    """Where the guide puts an application's workflow."""
    return f".github/workflows/{name}-ci.yaml"


def workflow(found: Survey, name: str, image: str, source: str, manifests: Iterable[str]) -> bytes:
    """A workflow that builds the folder `source` on a push to the repository's branch, and not for its manifests."""
    repository = parse_repository(image)
    host = "docker.io" if repository.registry == DEFAULT_REGISTRY else repository.registry
    own = host == GITHUB
    actions = found.actions
    return fill(
        WORKFLOW, name=name, branch=scalar(escaped(found.branch)),
        registry=scalar(host), repository=scalar(repository.path),
        paths="\n".join(f"      - {quoted(one)}" for one in patterns(found, name, source, manifests)),
        username="github.actor" if own else "vars.REGISTRY_USERNAME",
        password="GITHUB_TOKEN" if own else "REGISTRY_PASSWORD",
        context=source, platforms=",".join(found.platforms),
        **{key: f"{action}@{actions.get(action, ref)}" for key, (action, ref) in ACTIONS.items()},
    ).encode()  # fmt: skip


def patterns(found: Survey, name: str, source: str, manifests: Iterable[str]) -> list[str]:
    """What starts the workflow: its folder without manifests, and the workflow itself. Of the root's folders those with
    manifests are left out as a whole, since the automations write there.
    """
    if source:
        inside = [path for path in dict.fromkeys(manifests) if path.startswith(f"{source}/")]
        left_out = [f"!{escaped(path)}" for path in inside]
        return [f"{escaped(source)}/**", *left_out, workflow_path(name)]
    tops = dict.fromkeys([found.apps.partition("/")[0], found.folder.partition("/")[0], ".github"])
    return ["**", *(f"!{escaped(top)}/**" for top in tops if top), "!*.md", workflow_path(name)]


def quoted(text: str) -> str:
    """A text between single quotes."""
    return "'" + text.replace("'", "''") + "'"


def builds_folder(source: str) -> str:
    """The path of a folder's Dockerfile."""
    return posixpath.join(source, "Dockerfile")
