"""The five steps that add an application to a repository: workflow, ImageRepository, ImagePolicy, marker, automation;
and what they need: a Dockerfile, manifests, entries in kustomizations. Pure: a tree of files in, edits out.

What is there already is used and left as it is. The result is looked at by lint before anybody sees it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from tidegate.base.errors import AlreadyExists, InvalidInput
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.kinds.kustomization import GROUP as KUSTOMIZE_GROUP
from tidegate.lint.building import Build
from tidegate.lint.check import lint
from tidegate.lint.findings import Finding, Level
from tidegate.lint.fixing import without_loops
from tidegate.lint.loops import FEEDBACK_LOOP
from tidegate.lint.texts import finding_lines
from tidegate.scaffold.automations import cover, selector_labels, source_text
from tidegate.scaffold.dockerfiles import DEFAULT_PORT, exposed_port, written_files
from tidegate.scaffold.draft import Draft
from tidegate.scaffold.kustomizations import (
    Entries,
    add_entry,
    kustomization_of,
    kustomizations,
    name_beside,
    reached,
)
from tidegate.scaffold.policies import Policy, builds_of, policy_for
from tidegate.scaffold.survey import Survey, survey
from tidegate.scaffold.templates import APPLIED, DEPLOYMENT, KUSTOMIZATION, NAMESPACE, SERVICE, fill
from tidegate.scaffold.wish import Wish, check, check_folders, check_image, check_objects
from tidegate.scaffold.workflows import builds_folder, workflow, workflow_path
from tidegate.scaffold.workloads import Workload, comment, find_workload, mark
from tidegate.update.automation import tree_path

MANIFESTS: Mapping[str, str] = {"namespace.yaml": NAMESPACE, "deployment.yaml": DEPLOYMENT, "service.yaml": SERVICE}
_ROUNDS = 3


@frozen
class Plan:
    """New and edited files, which of them are new, which may be run, the warnings of lint that come with them, and
    what was wished and not done.
    """

    files: Mapping[str, bytes]
    created: frozenset[str]
    executable: frozenset[str] = frozenset()
    warnings: Sequence[Finding] = ()
    notes: Sequence[str] = ()


@frozen
class _Place:
    """Where an application is: its image, the folder of its manifests, and the folder that is built."""

    name: str
    image: str
    folder: str
    source: str
    workload: Workload | None

    @property
    def deployment(self) -> str:
        """The file with the marker."""
        return self.workload.path if self.workload else f"{self.folder}/deployment.yaml"


def plan_app(files: Files, wish: Wish) -> Plan:
    """Everything that adds an application, or the rest of what one that is there lacks; nothing where it lacks nothing.

    Raises InvalidInput for a wish that can't be fulfilled, where the repository has errors already, and where the
    result would have some; AlreadyExists and Conflict where a person's file or object has a name that would be needed.
    """
    check(wish)
    before = lint(files)
    _refuse([one for one in before.findings if one.rule is FEEDBACK_LOOP], before.findings)
    draft = Draft(files)
    notes = _add(draft, wish)
    for _ in range(_ROUNDS):
        mended = without_loops(draft)
        for path, content in mended.items():
            draft.edit(path, content)
        if not mended:
            break
    after = lint(draft)
    _refuse(after.findings, before.findings)
    known = set(map(_identity, before.findings))
    fresh = [finding for finding in after.findings if _identity(finding) not in known]
    return Plan(draft.changed, frozenset(draft.created), frozenset(draft.executable), fresh, notes)


def _refuse(findings: Sequence[Finding], before: Sequence[Finding]) -> None:
    """Raise InvalidInput with the errors among findings; those that were there before are a person's to mend."""
    errors = [one for one in findings if one.level is not Level.WARNING]
    known = set(map(_identity, before))
    old = [one for one in errors if _identity(one) in known]
    shown = [line for one in old or errors for line in finding_lines(one)]
    if old:
        message = "the repository has errors already, so nothing is added to it"
        raise InvalidInput("\n".join([f"{message}:", *shown]), remedy="mend them: `tidegate lint`, and lint --fix")
    if errors:
        message = "the result would have errors, so nothing is written"
        raise InvalidInput("\n".join([f"{message}:", *shown]), remedy="mend what the lines say, then try again")


def _identity(finding: Finding) -> tuple[str, str | None, str]:
    """What stays of a finding where lines move."""
    return finding.rule.id, finding.where.file, finding.message


def _add(draft: Draft, wish: Wish) -> Sequence[str]:
    found = survey(draft, wish.cluster)
    place = _place(draft, found, wish)
    builds = builds_of(found, place.image)
    for path, content in wish.brought.items():
        draft.create(posixpath.join(place.source, path), content, executable=path in wish.executable)
    port = _dockerfile(draft, place, wish, builds)
    namespace = _namespace(found, place)
    labels = selector_labels(found, place.deployment)
    marked = place.workload.policy if place.workload else None
    policy = policy_for(found, wish.name, place.image, marked, builds, labels)
    check_objects(namespace, policy.namespace, policy.name, found.namespace)
    manifests = _manifests(draft, place, namespace, policy, port)
    if not builds:
        _workflow(draft, found, place, [*manifests, place.deployment])
    documents = list(policy.documents)
    automation = cover(draft, found, wish.name, place.deployment, policy, own=wish.own_automation)
    documents += [automation] if automation is not None else []
    _list_application(draft, found, place)
    if not _is_applied(draft, found, place):
        documents.append(_applied(found, place))
    if documents:
        _flux_file(draft, found, wish.name, documents)
    if wish.own_automation and automation is None:
        return [f"an automation writes {place.deployment} already, so none of its own is added"]
    return ()


def _place(draft: Draft, found: Survey, wish: Wish) -> _Place:
    folder = f"{found.apps}/{wish.name}"
    workload = find_workload(draft, wish.name, wish.image, folder)
    image = wish.image or (workload.name if workload else _named_as_others(found, wish.name))
    folder = posixpath.dirname(workload.path) if workload else folder
    source = wish.source if wish.source is not None else folder
    check_image(image)
    check_folders(folder, source)
    return _Place(wish.name, image, folder, source, workload)


def _named_as_others(found: Survey, name: str) -> str:
    image = f"{found.prefix}/{name}"
    try:
        check_image(image)
    except InvalidInput:
        image = ""  # a variable of Flux's, say
    if found.prefix is None or not image:
        said = "no other image here says how this one is named"
        raise InvalidInput(said, remedy="name it: --image HOST/OWNER/NAME")
    return image


def _dockerfile(draft: Draft, place: _Place, wish: Wish, builds: Sequence[Build]) -> int:
    """A Dockerfile where there is none, and nothing here builds the image yet; the port that the application has."""
    prefix = f"{place.source}/" if place.source else ""
    present = {path.removeprefix(prefix) for path in draft.paths() if path.startswith(prefix)}
    if wish.source is not None and not present:
        raise InvalidInput(f"--from {wish.source!r}: no file is in that folder")
    path = builds_folder(place.source)
    said = exposed_port(draft.read(path)) if draft.is_file(path) else None
    port = wish.port or said or DEFAULT_PORT
    if not builds:
        for name, content in written_files(wish.name, place.source, present, port).items():
            draft.create(posixpath.join(place.source, name), content)
    return port


def _workflow(draft: Draft, found: Survey, place: _Place, manifests: Sequence[str]) -> None:
    path = workflow_path(place.name)
    if draft.is_file(path):
        raise AlreadyExists(
            f"{path} is there already, and nothing in it says that it pushes {place.image}",
            remedy="name the image that it pushes with --image, or choose another name",
        )
    draft.create(path, workflow(found, place.name, place.image, place.source, manifests))


def _namespace(found: Survey, place: _Place) -> str:
    """The namespace of a new application: its own, unless a Kustomization puts its neighbours into another."""
    for one in found.kustomizations:
        root = _path_of(one.model.path)
        if (
            one.model.target_namespace
            and root is not None
            and f"{place.folder}/".startswith(f"{root}/" if root else "")
        ):
            return one.model.target_namespace
    return place.name


def _manifests(draft: Draft, place: _Place, namespace: str, policy: Policy, port: int) -> list[str]:
    """New manifests, or a marker in those that are there; the paths of the folder's manifests."""
    if place.workload is not None:
        mark(draft, place.workload, policy.setter)
        return []
    values = {
        "name": place.name, "namespace": namespace, "image": place.image, "port": str(port),
        "marker": comment(policy.setter).removeprefix("# "),
    }  # fmt: skip
    names = [name for name in MANIFESTS if name != "namespace.yaml" or namespace == place.name]
    for name in names:
        draft.create(f"{place.folder}/{name}", fill(MANIFESTS[name], **values).encode())
    path = kustomization_of(draft, place.folder)
    if path is None:
        path = f"{place.folder}/kustomization.yaml"
        draft.create(path, (KUSTOMIZATION + "".join(f"  - {name}\n" for name in names)).encode())
    else:
        for name in names:
            add_entry(draft, path, f"{place.folder}/{name}")
    return [path, *(f"{place.folder}/{name}" for name in names)]


def _list_application(draft: Draft, found: Survey, place: _Place) -> None:
    """An entry for the application beside those of its neighbours."""
    folder, parent = place.folder, posixpath.dirname(place.folder)
    own = kustomization_of(draft, folder)
    named = {target for one in kustomizations(draft) if one.path != own for target in one.targets}
    if own is None or parent != found.apps or named & {folder, place.deployment}:
        return

    def is_neighbour(entries: Entries, target: str) -> bool:
        inside = entries.folder.startswith(f"{parent}/")
        return not inside and posixpath.dirname(target if draft.is_dir(target) else posixpath.dirname(target)) == parent

    name_beside(draft, folder, is_neighbour)
    beside = kustomization_of(draft, parent)
    if beside is not None:
        add_entry(draft, beside, folder)


def _is_applied(draft: Draft, found: Survey, place: _Place) -> bool:
    """Whether a Kustomization of Flux's comes to the application's manifests. What lies beside Flux's own objects is
    applied as they are, which no file need say.
    """
    if f"{place.folder}/".startswith(f"{found.root}/"):
        return True
    roots = [_path_of(one.model.path) for one in found.kustomizations]
    return any(place.deployment in reached(draft, root) for root in roots if root is not None)


def _path_of(path: str) -> str | None:
    try:
        return tree_path(path)
    except InvalidInput:
        return None


def _applied(found: Survey, place: _Place) -> str:
    taken = [one for one in found.kustomizations if one.model.key.name == place.name]
    if taken:
        where = taken[0].where
        raise InvalidInput(f"{where}: a Kustomization {place.name} is there, and does not apply {place.deployment}")
    version = found.version("Kustomization", KUSTOMIZE_GROUP)
    values = {"version": version, "name": place.name, "namespace": found.namespace, "path": place.folder}
    return fill(APPLIED, **values, source=source_text(found))


def _flux_file(draft: Draft, found: Survey, name: str, documents: Sequence[str]) -> None:
    """One new file for all new objects, beside the others', and named where those are."""
    path = posixpath.join(found.folder, f"{name}.yaml")
    if draft.is_file(path):
        path = posixpath.join(found.folder, f"{name}-automation.yaml")
    draft.create(path, "---\n".join(documents).encode())
    name_beside(draft, path, lambda _, target: target == found.anchor)
    own = kustomization_of(draft, found.folder)
    if own is not None:
        add_entry(draft, own, path)
