"""Runs that somebody asks for: what they write (a WorkflowRun without a commit), and what its Runner adds to it.

The object is the interface: the command, kubectl and any other client create the same one, and the Runner of its
repository looks the ref up, finds the workflow's file and gives the run its number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.base.showing import showable, without_escapes
from tidegate.git.repository import Repository
from tidegate.git.values import Commit
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.workflow_run import GROUP, KIND, TITLE
from tidegate.runner.names import AUTHOR, NAME_LIMIT, PROBLEMS, labels, slug
from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import FOLDER, is_workflow, workflows_in

EVENTS = ("workflow_dispatch", "pull_request", "push")
"""The events that can be asked for."""
TITLE_LIMIT = 200
_SUFFIX = 8
_BRANCH, _TAG = "refs/heads/", "refs/tags/"


def requested_run(
    runner: Object,
    workflow: str,
    *,
    event: str = "workflow_dispatch",
    ref: str = "",
    base: str = "",
    inputs: Mapping[str, Any] | None = None,
) -> Object:
    """The WorkflowRun to create for a Runner: `workflow` is a file's path or name, or a workflow's name; `ref` a branch
    or tag, the default branch where it is empty; `base` the branch that a pull request is for.
    """
    spec = {"repository": runner["spec"]["repository"], "workflow": workflow, "event": event, "inputs": inputs or {}}
    spec |= {name: value for name, value in (("ref", ref), ("base", base)) if value}
    stem = workflow.rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")
    name = f"{slug(str(spec['repository']))}-{slug(stem)}"[: NAME_LIMIT - _SUFFIX].strip("-")
    metadata: dict[str, Any] = {"generateName": f"{name}-", "namespace": runner["metadata"].get("namespace", "default")}
    if inherited := inherited_labels(runner):
        metadata["labels"] = inherited
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": KIND, "metadata": metadata, "spec": spec}


def inherited_labels(runner: Object) -> dict[str, str]:
    """The Runner's labels: a shard is chosen by them, and has a Runner with its runs. Not those by which a
    Kustomization says what it has applied itself.
    """
    found = runner["metadata"].get("labels") or {}
    return {name: value for name, value in found.items() if "fluxcd.io/" not in name}


def is_admitted(run: Object) -> bool:
    """Whether a run has all that it needs to begin, or is known to be impossible."""
    return bool((run.get("spec") or {}).get("commit")) or annotation(run, PROBLEMS) is not None


async def admission(repository: Repository, run: Object) -> dict[str, Any]:
    """What a run lacks, as a patch of the object (its number apart); what is wrong with it as its annotation."""
    try:
        return await _found(repository, run)
    except (InvalidInput, NotFound) as error:
        return {"metadata": {"annotations": {PROBLEMS: error.explain()}}}


async def _found(repository: Repository, run: Object) -> dict[str, Any]:
    spec = run["spec"]
    event = str(spec.get("event", ""))
    if event not in EVENTS:
        raise InvalidInput(f"the event {event!r} can't be asked for", remedy=f"ask for one of: {', '.join(EVENTS)}")
    refs = await repository.refs()
    ref = _ref(str(spec.get("ref") or default_branch(await repository.head(), refs) or ""), refs)
    base = str(spec.get("base") or "").removeprefix(_BRANCH)
    if event == "pull_request" and (not base or f"{_BRANCH}{base}" not in refs):
        raise NotFound(f"a pull request needs a base branch, and {base!r} is none", remedy="say which: --base main")
    if event == "pull_request" and not ref.startswith(_BRANCH):
        raise InvalidInput(f"{ref} is no branch, and only a branch can be merged", remedy="say which: --ref topic")
    commit = refs[ref]
    file = await asyncio.to_thread(_file, repository, commit, str(spec.get("workflow", "")))
    head = await repository.log(commit)
    owner = str(spec["repository"]).partition("/")[0]
    found = {"ref": ref, "commit": commit, "workflow": file, "actor": spec.get("actor") or owner}
    if base:
        found["base"] = base
    annotations = {TITLE: title(head), AUTHOR: f"{head.author.name} <{head.author.email}>"}
    metadata = {"labels": labels(str(spec["repository"]), file, commit), "annotations": annotations}
    return {"spec": found, "metadata": metadata}


def title(head: Commit) -> str:
    """A commit's subject as a run shows it: people read it in terminals."""
    return showable(without_escapes(head.subject), TITLE_LIMIT)


def default_branch(head: str | None, refs: Mapping[str, str]) -> str | None:
    """The full name of the default branch: HEAD's, else the only one, as in a mirror that has but what is followed."""
    branches = [ref for ref in refs if ref.startswith(_BRANCH)]
    return head if head in refs else branches[0] if len(branches) == 1 else None


def _ref(name: str, refs: Mapping[str, str]) -> str:
    """The full name of a branch or tag, a branch where both are there."""
    for ref in (name, f"{_BRANCH}{name}", f"{_TAG}{name}"):
        if ref.startswith((_BRANCH, _TAG)) and ref in refs:
            return ref
    known = ", ".join(sorted(ref.removeprefix(_BRANCH) for ref in refs if ref.startswith(_BRANCH))[:10])
    missing = f"there is no branch and no tag {name!r}" if name else "it is not known which branch is the default one"
    raise NotFound(missing, remedy=f"branches here: {known or 'none'}")


def _file(repository: Repository, commit: str, wanted: str) -> str:
    """The path of the workflow that is meant: by its path, its file's name, or its own name. Blocks."""
    with repository.files(commit) as files:
        paths = [path for path in files.paths() if is_workflow(path)]
        for path in (wanted, f"{FOLDER}{wanted}"):
            if path in paths:
                return path
        named = [path for path, one in workflows_in(files) if _is_named(one, wanted)]
    if len(named) == 1:
        return named[0]
    if named:
        raise InvalidInput(f"{len(named)} workflows are named {wanted!r}", remedy=f"name one: {', '.join(named)}")
    known = ", ".join(path.removeprefix(FOLDER) for path in paths)
    raise NotFound(f"there is no workflow {wanted!r} at {commit[:12]}", remedy=f"workflows there: {known or 'none'}")


def _is_named(workflow: Workflow | TidegateError, name: str) -> bool:
    return isinstance(workflow, Workflow) and workflow.name == name
