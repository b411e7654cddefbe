"""What a repository gets that is pushed first, or followed: a source, a Runner, and a Kustomization for its only
cluster. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tidegate.base.errors import TidegateError
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.base.yaml import load_documents
from tidegate.kinds.common import mapping
from tidegate.kinds.kept_fields import SOURCE_FIELDS, SYNC_FIELDS, keeping
from tidegate.kinds.not_deployed import with_reason
from tidegate.kinds.objects import Object

NAMESPACE = "flux-system"
ROOT = "flux-system"
ROOT_FOLDER = "clusters"
INTERVAL = "1m"
SYNC_INTERVAL = "10m"
MANIFESTS_LIMIT = 5000
SOURCE_TYPE = ("source.toolkit.fluxcd.io/v1", "GitRepository")
SYNC_TYPE = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")


@frozen
class Bootstrap:
    """The objects to create, and what to say to the pusher."""

    objects: tuple[Object, ...]
    lines: tuple[str, ...]


@frozen
class Choice:
    """Which folder is deployed; where none is, the reason and what to do."""

    folder: str | None
    reason: str = ""
    message: str = ""


def bootstrap(
    owner: str,
    name: str,
    *,
    url: str,
    branch: str,
    paths: Iterable[str],
    path: str | None = None,
    taken_by: str | None = None,
    names_root: Callable[[], bool] = lambda: False,
) -> Bootstrap:
    """The objects for a repository that was pushed first with these files; `path` is the folder that the user named.

    `taken_by` is the URL of another repository that has the root's name already: this one then gets a name of its own,
    but where its manifests mean themselves by the root's name (`names_root`).
    """
    runner = _object(("tidegate.dev/v1alpha1", "Runner"), runner_name(owner, name), {"repository": f"{owner}/{name}"})
    own = runner_name(owner, name) if taken_by else ROOT
    present = list(paths)
    if taken_by and path is not None and not any(one.startswith(f"{path.strip('/')}/") for one in present):
        path = None  # it was said for another repository
    choice = choose_folder(present, path)
    if choice.folder and taken_by and names_root():
        choice = _taken(choice.folder, taken_by)
    if choice.folder is None:
        objects = [with_reason(runner, choice.reason, choice.message)]
        objects += [] if choice.reason == "NoFolder" or own != ROOT else [source_object(url, branch)]
        return Bootstrap(tuple(objects), (f"nothing is deployed: {choice.message}",))
    line = f"deploying {choice.folder} from {branch}" + (f" by the Kustomization {own}" if own != ROOT else "")
    return Bootstrap((runner, source_object(url, branch, name=own), sync_object(choice.folder, name=own)), (line,))


def choose_folder(paths: Iterable[str], path: str | None = None) -> Choice:
    """The folder that the user named, else the only one below `clusters/`."""
    clusters = clusters_in(paths)
    if path is not None or len(clusters) == 1:
        return Choice(path or f"{ROOT_FOLDER}/{clusters[0]}")
    if not clusters:
        message = f"there is no folder {ROOT_FOLDER}/*/: name one with --path FOLDER, or create a Kustomization"
        return Choice(None, "NoFolder", message)
    named = ", ".join(f"{ROOT_FOLDER}/{cluster}" for cluster in clusters)
    return Choice(None, "SeveralPaths", f"which of {named}? Start with --path FOLDER, or create a Kustomization")


def _taken(folder: str, taken_by: str) -> Choice:
    message = (
        f"{folder} names the GitRepository {ROOT} as its source, which is {taken_by} here: "
        "use another name in its manifests and create a Kustomization, or give it a Tidegate of its own (--home)"
    )
    return Choice(None, "NameTaken", message)


def runner_name(owner: str, name: str) -> str:
    """The name of a repository's Runner, as Kubernetes allows names."""
    text = f"{owner}-{name}".lower()
    return "".join(char if char.isalnum() or char == "-" else "-" for char in text).strip("-") or "repository"


def source_object(url: str, branch: str, *, name: str = ROOT) -> Object:
    """The GitRepository that `flux bootstrap` would make; where it is fetched from stays, whatever Git says of it."""
    spec = {"interval": INTERVAL, "ref": {"branch": branch}, "url": url}
    return keeping(_object(SOURCE_TYPE, name, spec), SOURCE_FIELDS)


def sync_object(path: str, *, name: str = ROOT) -> Object:
    """The Kustomization that `flux bootstrap` would make for a folder; which one it is stays, whatever Git says."""
    path = f"./{path.removeprefix('./').strip('/')}"
    source = {"kind": "GitRepository", "name": name}
    spec = {"interval": SYNC_INTERVAL, "path": path, "prune": True, "sourceRef": source}
    return keeping(_object(SYNC_TYPE, name, spec), SYNC_FIELDS)


def clusters_in(paths: Iterable[str]) -> list[str]:
    """The folders below `clusters/` that hold a file."""
    parts = (path.split("/") for path in paths)
    return sorted({part[1] for part in parts if part[0] == ROOT_FOLDER and len(part) > 2})


def names_root_source(files: Files) -> bool:
    """Whether a manifest defines the GitRepository of the root's name, or names it as its source. Blocks."""
    manifests = [path for path in files.paths() if path.endswith((".yaml", ".yml"))]
    return any(_names_root(files.read(path), path) for path in manifests[:MANIFESTS_LIMIT])


def _names_root(data: bytes, path: str) -> bool:
    if ROOT.encode() not in data or b"GitRepository" not in data:
        return False
    try:
        documents = [mapping(document.value) for document in load_documents(data, file=path)]
    except TidegateError:
        return False  # whoever applies it says what is wrong with it
    for document in documents:
        source = mapping(mapping(document.get("spec")).get("sourceRef"))
        named = mapping(document.get("metadata")).get("name") if document.get("kind") == "GitRepository" else None
        if ROOT in (named, source.get("name") if source.get("kind") == "GitRepository" else None):
            return True
    return False


def _object(kind: tuple[str, str], name: str, spec: Object) -> Object:
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
