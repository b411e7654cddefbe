from __future__ import annotations

from collections.abc import Callable

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.workflow.calls import Linked
from tidegate.workflow.model import Workflow
from tidegate.workflow.permissions import allows, permissions_of
from tidegate.workflow.plan import JobResult, Plan, job_starts, needs_context, plan
from tidegate.workflow.resolve import Scope
from tidegate.workflow.triggers import Event

Read = Callable[[str], Workflow]
PUSH = Event("push", ref="refs/heads/main", message="Fix the tide\n\nMore")
CONTEXTS = {"github": {"ref": "refs/heads/main", "actor": "mona"}, "inputs": {}, "vars": {}}
STEPS = "runs-on: x, steps: [{run: x}]"


def planned(read: Read, text: str, event: Event = PUSH) -> Plan:
    return plan(Linked(read(text)), event, CONTEXTS)


def test_jobs_stand_after_those_they_need(read: Read) -> None:
    jobs = planned(
        read, f"jobs: {{c: {{needs: [a, B], {STEPS}}}, b: {{needs: a, {STEPS}}}, a: {{{STEPS}}}, d: {{{STEPS}}}}}"
    ).jobs
    assert [job.job.id for job in jobs] == ["a", "d", "b", "c"]
    assert jobs[3].needs == ("a", "b")
    assert jobs[3].ancestors == ("a", "b")


def test_the_run_is_named_after_the_head_commit(read: Read) -> None:
    assert planned(read, f"name: CI\njobs: {{a: {{{STEPS}}}}}").run_name == "Fix the tide"
    assert planned(read, f"name: CI\njobs: {{a: {{{STEPS}}}}}", Event("workflow_dispatch")).run_name == "CI"
    named = "run-name: by ${{ github.actor }}\njobs: {a: {" + STEPS + "}}"
    assert planned(read, named).run_name == "by mona"


def test_the_concurrency_group_is_evaluated(read: Read) -> None:
    text = "concurrency: {group: 'g-${{ github.ref }}', cancel-in-progress: '${{ github.actor == 'mona' }}'}\n"
    group = planned(read, text.replace("'mona'", "''mona''") + f"jobs: {{a: {{{STEPS}}}}}").group
    assert group is not None
    assert (group.name, group.cancel_in_progress) == ("g-refs/heads/main", True)
    with pytest.raises(InvalidInput):
        planned(read, f"concurrency: '${{{{ vars.nope }}}}'\njobs: {{a: {{{STEPS}}}}}")


@pytest.mark.parametrize(
    ("workflow", "job", "event", "expected"),
    [
        ("", "", PUSH, {"contents": "read", "packages": "read"}),
        ("permissions: {packages: write}\n", "", PUSH, {"packages": "write"}),
        ("permissions: {packages: write}\n", "permissions: {contents: read},", PUSH, {"contents": "read"}),
        ("permissions: {}\n", "", PUSH, {}),
        ("permissions: write-all\n", "", PUSH, {"*": "write"}),
        ("permissions: {packages: write, contents: read, issues: none}\n", "", Event("pull_request"),
         {"packages": "read", "contents": "read"}),
    ],
)  # fmt: skip
def test_permissions_come_from_the_job_else_the_workflow_else_the_default(
    read: Read, workflow: str, job: str, event: Event, expected: dict[str, str]
) -> None:
    one = read(f"{workflow}jobs: {{a: {{{job} {STEPS}}}}}")
    assert permissions_of(one, one.jobs["a"], event) == expected


def test_permissions_reach_as_far_as_they_say() -> None:
    assert allows({"packages": "write"}, "packages", "read")
    assert not allows({"packages": "read"}, "packages", "write")
    assert not allows({"packages": "write"}, "contents", "read")
    assert allows({"*": "read"}, "contents", "read")


@pytest.mark.parametrize(
    ("condition", "results", "cancelled", "starts"),
    [
        ("", ("success", "success"), False, True),
        ("", ("success", "failure"), False, False),
        ("", ("skipped", "success"), False, False),
        ("", ("success", "success"), True, False),
        ("if: always(),", ("failure", "skipped"), True, True),
        ("if: failure(),", ("failure", "skipped"), False, True),
        ("if: failure(),", ("success", "success"), False, False),
        ("if: cancelled(),", ("success", "success"), True, True),
        ("if: '!cancelled()',", ("failure", "skipped"), False, True),
        ("if: success('b') || failure(),", ("failure", "success"), False, True),
        ("if: \"needs.b.result == 'success'\",", ("failure", "success"), False, False),
        ("if: \"always() && needs.b.result == 'success'\",", ("failure", "success"), False, True),
        ("if: github.actor == 'octocat',", ("success", "success"), False, False),
        ("if: '${{ github.actor }}',", ("success", "success"), False, True),
        ("if: true,", ("success", "success"), False, True),
        ("if: false,", ("success", "success"), False, False),
        ("if: '',", ("success", "success"), False, True),
        ("if: '${{ false }} ',", ("success", "success"), False, False),
        ("if: 'x ${{ false }}',", ("success", "success"), False, True),
    ],
)
def test_a_job_starts_by_its_condition_and_the_jobs_above_it(
    read: Read, condition: str, results: tuple[str, str], cancelled: bool, starts: bool
) -> None:
    """`a` is needed by `b` only: the status functions look at every ancestor."""
    text = f"jobs: {{a: {{{STEPS}}}, b: {{needs: a, {STEPS}}}, c: {{needs: b, {condition} {STEPS}}}}}"
    job = planned(read, text).jobs[2]
    ended = {name: JobResult(result) for name, result in zip("ab", results, strict=True)}
    scope = Scope({**CONTEXTS, "needs": needs_context(job, ended)})
    assert job_starts(job, ended, scope, cancelled=cancelled) is starts


def test_needs_are_results_and_outputs_of_the_jobs_named(read: Read) -> None:
    job = planned(read, f"jobs: {{a: {{{STEPS}}}, b: {{needs: a, {STEPS}}}, c: {{needs: b, {STEPS}}}}}").jobs[2]
    ended = {"a": JobResult("success"), "b": JobResult("success", {"v": "1"})}
    assert needs_context(job, ended) == {"b": {"result": "success", "outputs": {"v": "1"}}}
