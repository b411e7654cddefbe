from __future__ import annotations

from collections.abc import Callable

from tidegate.workflow.expressions.syntax import Name
from tidegate.workflow.model import (
    CallTrigger,
    DispatchTrigger,
    Listing,
    Literal,
    OtherTrigger,
    PushTrigger,
    ScheduleTrigger,
    Table,
    Template,
    Workflow,
    WorkflowRunTrigger,
)

Read = Callable[[str], Workflow]
JOB = "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n"


def test_everything_of_a_job_is_read_with_its_place(read: Read) -> None:
    workflow = read("""\
        name: CI
        run-name: by ${{ github.actor }}
        on: push
        env: {A: 1, B: '${{ vars.b }}'}
        defaults: {run: {shell: sh}}
        permissions: read-all
        concurrency: {group: 'g-${{ github.ref }}', cancel-in-progress: true}
        jobs:
          build:
            name: Build ${{ matrix.os }}
            runs-on: [self-hosted, '${{ matrix.os }}']
            needs: lint
            if: github.ref == 'refs/heads/main'
            strategy:
              fail-fast: false
              max-parallel: 2
              matrix: {os: [a, b], include: [{os: c, extra: [1]}]}
            timeout-minutes: 5
            continue-on-error: ${{ matrix.os == 'b' }}
            permissions: {packages: write}
            environment: {name: prod, url: 'https://${{ steps.x.outputs.host }}'}
            outputs: {v: '${{ steps.x.outputs.v }}'}
            container: debian:12
            services: {db: {image: 'postgres:16', ports: ['5432:5432'], env: {P: x}}}
            steps:
              - id: x
                name: Say
                if: ${{ always() }}
                run: echo
                shell: python
                working-directory: sub
                env: {C: c}
                timeout-minutes: 1.5
                continue-on-error: true
              - uses: actions/checkout@v4
                with: {fetch-depth: 0, clean: true}
          lint: {runs-on: x, steps: [{run: x}]}
        """)
    job = workflow.jobs["build"]
    say, checkout = job.steps
    assert (workflow.name, workflow.title, list(workflow.jobs)) == ("CI", "CI", ["build", "lint"])
    assert isinstance(workflow.run_name, Template)
    assert workflow.permissions is not None
    assert workflow.permissions.every == "read"
    assert (job.where.line, job.where.column, job.where.field) == (9, 3, "jobs.build")
    assert isinstance(job.runs_on, Listing)
    assert job.needs == ("lint",)
    assert job.condition.source == "github.ref == 'refs/heads/main'"
    assert isinstance(job.strategy.matrix, Table)
    assert isinstance(job.continue_on_error, Template)
    assert job.permissions is not None
    assert job.permissions.scopes == {"packages": "write"}
    assert say.condition.has_status
    assert (say.id, say.shell, say.where.line) == ("x", "python", 26)
    assert isinstance(say.timeout_minutes, Literal)
    assert say.timeout_minutes.value == 1.5
    assert (checkout.uses, checkout.index, checkout.uses_where.line) == ("actions/checkout@v4", 1, 35)
    assert isinstance(checkout.inputs, Table)
    assert [entry.value for entry in checkout.inputs.entries.values() if isinstance(entry, Literal)] == [0.0, True]


def test_the_file_is_the_title_of_a_workflow_without_a_name(read: Read) -> None:
    assert read(JOB).title == "ci.yaml"


def test_on_is_a_key_and_not_a_boolean(read: Read) -> None:
    assert isinstance(read(f"on: push\n{JOB}").triggers["push"], PushTrigger)
    assert list(read(f"on: [push, pull_request]\n{JOB}").triggers) == ["push", "pull_request"]


def test_triggers_with_settings(read: Read) -> None:
    workflow = read(
        """\
        on:
          push:
          issues: {types: [opened]}
          schedule:
            - cron: '5 4 * * *'
              timezone: Europe/Berlin
          workflow_run: {workflows: [A], branches-ignore: [x]}
          workflow_dispatch:
            inputs:
              level: {type: choice, options: [a, b], default: a, required: true}
              plain:
          workflow_call:
            inputs: {n: {type: number, default: 3}}
            outputs: {o: {value: '${{ jobs.a.outputs.x }}'}}
            secrets: {token: {required: true}, other: }
        """
        + JOB
    )
    schedule, dispatch = workflow.triggers["schedule"], workflow.triggers["workflow_dispatch"]
    call, run = workflow.triggers["workflow_call"], workflow.triggers["workflow_run"]
    assert workflow.triggers["push"] == PushTrigger(where=workflow.triggers["push"].where)
    assert isinstance(workflow.triggers["issues"], OtherTrigger)
    assert isinstance(schedule, ScheduleTrigger)
    assert (schedule.entries[0].cron, schedule.entries[0].timezone) == ("5 4 * * *", "Europe/Berlin")
    assert isinstance(run, WorkflowRunTrigger)
    assert run.branches is not None
    assert run.branches.ignore
    assert isinstance(dispatch, DispatchTrigger)
    assert [(item.name, item.type, item.options) for item in dispatch.inputs] == [
        ("level", "choice", ("a", "b")),
        ("plain", "string", ()),
    ]
    assert isinstance(call, CallTrigger)
    assert call.secrets == {"token": True, "other": False}


def test_a_string_that_is_one_expression_keeps_its_tree(read: Read) -> None:
    step = read("jobs: {a: {runs-on: x, steps: [{run: '${{ env }}'}, {run: '${{ env }} '}]}}\n").jobs["a"].steps
    assert isinstance(step[0].run, Template)
    assert isinstance(step[1].run, Template)
    assert step[0].run.expression == Name("env", 1)
    assert step[1].run.expression is None
    assert step[1].run.parts == (Name("env", 1), " ")


def test_braces_inside_a_text_do_not_end_an_expression(read: Read) -> None:
    text = "jobs: {a: {runs-on: x, steps: [{run: \"${{ format('}}{0}', 1) }}\"}]}}\n"
    run = read(text).jobs["a"].steps[0].run
    assert isinstance(run, Template)
    assert run.expression is not None


def test_anchors_are_resolved(read: Read) -> None:
    workflow = read("""\
        jobs:
          a:
            runs-on: x
            env: &env {A: b}
            steps: &steps
              - run: x
          b: {runs-on: x, env: *env, steps: *steps}
        """)
    assert workflow.jobs["a"].env == workflow.jobs["b"].env or isinstance(workflow.jobs["b"].env, Table)
    assert workflow.jobs["b"].steps[0].run is not None


def test_a_job_may_call_a_workflow(read: Read) -> None:
    workflow = read("""\
        jobs:
          a: {uses: ./.github/workflows/b.yaml, with: {x: 1}, secrets: inherit}
          b: {uses: o/r/.github/workflows/b.yml@v1, secrets: {t: '${{ secrets.t }}'}}
        """)
    called = workflow.jobs["a"].calls
    assert called is not None
    assert (called.uses, called.secrets) == ("./.github/workflows/b.yaml", "inherit")
    assert workflow.jobs["b"].calls is not None
    assert isinstance(workflow.jobs["b"].calls.secrets, Table)
