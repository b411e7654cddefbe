"""The WorkflowRuns that a Runner makes: of pushes, schedules, and runs that are followed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.git.values import Commit
from tidegate.kinds.objects import Object, ObjectKey
from tidegate.kinds.runner import GROUP, Runner
from tidegate.kinds.workflow_run import KIND as RUN_KIND
from tidegate.kinds.workflow_run import TITLE, WorkflowRun
from tidegate.runner.names import AUTHOR, CHAIN, PROBLEMS, labels, run_name
from tidegate.runner.pushes import RefChange
from tidegate.runner.requested import inherited_labels, title
from tidegate.runner.standing import Due, Standing

PROBLEMS_LIMIT = 8000


def pushed_run(
    runner_object: Object, runner: Runner, change: RefChange, file: str, problems: str, head: Commit, sequence: int
) -> Object:
    """The run of a workflow that a push starts; `problems` says what is wrong with its file."""
    name = run_name(runner.repository, file, change.ref, change.old or "", change.new, sequence)
    namespace = runner_object["metadata"].get("namespace", "default")
    run = WorkflowRun(
        key=ObjectKey(GROUP, RUN_KIND, namespace, name),
        version="v1alpha1",
        repository=runner.repository,
        workflow=file,
        event="push",
        ref=change.ref,
        commit=change.new,
        actor=head.author.name,
        before=change.old,
    )
    return stored_form(runner_object, run, head, {PROBLEMS: problems[:PROBLEMS_LIMIT]} if problems else {})


def due_run(runner_object: Object, runner: Runner, standing: Standing, due: Due, head: Commit) -> Object:
    """The run of a workflow that starts without a push."""
    name = run_name(runner.repository, due.file, standing.ref, due.identity, standing.commit, 0)
    namespace = runner_object["metadata"].get("namespace", "default")
    run = WorkflowRun(
        key=ObjectKey(GROUP, RUN_KIND, namespace, name),
        version="v1alpha1",
        repository=runner.repository,
        workflow=due.file,
        event=due.event,
        ref=standing.ref,
        commit=standing.commit,
        actor=runner.repository.partition("/")[0],
        cause=due.cause,
    )
    return stored_form(runner_object, run, head, {CHAIN: str(due.chain)} if due.chain else {})


def stored_form(runner_object: Object, run: WorkflowRun, head: Commit, further: Mapping[str, str]) -> Object:
    """The object of a run, with what people want to read of its commit."""
    author = f"{head.author.name} <{head.author.email}>"
    metadata: dict[str, Any] = {
        "name": run.key.name,
        "namespace": run.key.namespace,
        "labels": inherited_labels(runner_object) | labels(run.repository, run.workflow, run.commit),
        "annotations": {TITLE: title(head), AUTHOR: author, **further},
    }
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": RUN_KIND, "metadata": metadata, "spec": run.spec_json()}
