from __future__ import annotations

import textwrap
import time

import pytest

from tidegate.workflow.model import Workflow
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.triggers import Event, matches, skip_word


def workflow(on: str) -> Workflow:
    jobs = "jobs:\n  a:\n    runs-on: x\n    steps:\n      - run: x\n"
    return parse_workflow((textwrap.dedent(on) + jobs).encode(), "ci.yaml")


def push(*changed: str, ref: str = "refs/heads/main", message: str = "") -> Event:
    return Event("push", ref=ref, changed=changed, message=message)


GUIDE = """\
    on:
      push:
        branches:
          - main
        paths:
          # Only trigger on actual code changes, not deployment.yaml
          - 'apps/web/main.py'
          - 'apps/web/tests/**'
          - '.github/workflows/ci.yaml'
"""


def test_the_pattern_that_decided_is_named_with_its_line() -> None:
    match = matches(workflow(GUIDE), push("README.md", "apps/web/tests/unit/test_a.py"))
    assert (match.runs, match.pattern, match.line) == (True, "apps/web/tests/**", 8)
    assert match.reason == "apps/web/tests/unit/test_a.py matches apps/web/tests/**"


def test_an_automations_commit_does_not_start_it() -> None:
    match = matches(workflow(GUIDE), push("apps/web/deployment.yaml"))
    assert (match.runs, match.pattern, match.line) == (False, None, 5)


def test_another_branch_does_not_start_it() -> None:
    match = matches(workflow(GUIDE), push("apps/web/main.py", ref="refs/heads/dev"))
    assert (match.runs, match.line, match.reason) == (False, 3, "dev matches none of the patterns")


def test_a_push_without_changes_does_not_pass_a_path_filter() -> None:
    assert not matches(workflow(GUIDE), push()).runs
    assert not matches(workflow("on: {push: {paths-ignore: ['docs/**']}}\n"), push()).runs
    assert matches(workflow("on: push\n"), push()).runs


def test_unknown_changes_pass_a_path_filter() -> None:
    assert matches(workflow(GUIDE), Event("push", ref="refs/heads/main")).runs


@pytest.mark.parametrize(
    ("patterns", "files", "runs", "pattern"),
    [
        ("['**', '!docs/**']", ["docs/a"], False, "!docs/**"),
        ("['**', '!docs/**']", ["docs/a", "src/b"], True, "**"),
        ("['!docs/**', '**']", ["docs/a"], True, "**"),
        ("['sub/**', '!sub/docs/**', 'sub/docs/x']", ["sub/docs/x"], True, "sub/docs/x"),
        ("['sub/**', '!sub/docs/**', 'sub/docs/x']", ["sub/docs/y"], False, "!sub/docs/**"),
        ("['a', 'b']", ["b", "a"], True, "b"),
    ],
)
def test_the_last_matching_path_pattern_counts(patterns: str, files: list[str], runs: bool, pattern: str) -> None:
    match = matches(workflow(f"on: {{push: {{paths: {patterns}}}}}\n"), push(*files))
    assert (match.runs, match.pattern) == (runs, pattern)


@pytest.mark.parametrize(
    ("branches", "branch", "runs"),
    [
        ("['releases/**', '!releases/**-alpha']", "releases/10", True),
        ("['releases/**', '!releases/**-alpha']", "releases/beta/3-alpha", False),
        ("['!a', 'a', 'b']", "a", True),
        ("[main, 'v[12].[0-9]+']", "v2.13", True),
        ("[main]", "Main", False),
    ],
)
def test_the_last_matching_branch_pattern_counts(branches: str, branch: str, runs: bool) -> None:
    event = push("x", ref=f"refs/heads/{branch}")
    assert matches(workflow(f"on: {{push: {{branches: {branches}}}}}\n"), event).runs is runs


def test_ignored_paths_keep_it_only_if_every_file_is_ignored() -> None:
    ignoring = workflow("on: {push: {paths-ignore: ['docs/**', '**.md']}}\n")
    assert not matches(ignoring, push("docs/x", "README.md")).runs
    assert matches(ignoring, push("docs/x", "src/x")).runs


def test_ignored_branches_keep_it() -> None:
    ignoring = workflow("on: {push: {branches-ignore: ['wip/**']}}\n")
    assert matches(ignoring, push(ref="refs/heads/main")).runs
    assert not matches(ignoring, push(ref="refs/heads/wip/a")).runs


@pytest.mark.parametrize(
    ("filters", "ref", "runs"),
    [
        ("{branches: [main]}", "refs/tags/v1", False),
        ("{tags: [v1]}", "refs/heads/main", False),
        ("{tags: ['v*']}", "refs/tags/v1", True),
        ("{tags-ignore: ['v*']}", "refs/tags/v1", False),
        ("{tags-ignore: ['v*']}", "refs/heads/main", False),
        ("{branches: [main], tags: ['v*']}", "refs/tags/v1", True),
        ("{branches: [main], tags: ['v*']}", "refs/heads/main", True),
        ("{branches: [main], tags: ['v*']}", "refs/heads/dev", False),
        ("", "refs/tags/v1", True),
    ],
)
def test_branches_and_tags_name_each_other_out(filters: str, ref: str, runs: bool) -> None:
    assert matches(workflow(f"on:\n  push: {filters}\n"), push("x", ref=ref)).runs is runs


def test_path_filters_are_not_evaluated_for_tags() -> None:
    assert matches(workflow("on: {push: {paths: [src/**]}}\n"), push("docs/x", ref="refs/tags/v1")).runs
    both = workflow("on: {push: {tags: ['v*'], paths: [src/**]}}\n")
    assert matches(both, push("docs/x", ref="refs/tags/v1")).runs


def test_deleting_a_branch_starts_nothing() -> None:
    assert not matches(workflow("on: push\n"), Event("push", ref="refs/heads/main", after="0" * 40)).runs


@pytest.mark.parametrize("word", ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"])
def test_skip_words_anywhere_in_the_message_keep_it(word: str) -> None:
    match = matches(workflow("on: push\n"), push("x", message=f"Update image\n\nbody {word} more"))
    assert (match.runs, match.reason) == (False, f"the commit message says {word}")


def test_the_skip_trailer_must_end_the_message() -> None:
    assert skip_word("Fix\n\n\nskip-checks: true") == "skip-checks: true"
    assert skip_word("Fix\n\n\nSigned-off-by: a\nskip-checks:true\n") == "skip-checks:true"
    assert skip_word("Fix skip-checks: true\n\nbody") is None
    assert skip_word("skip ci") is None


def test_skip_words_do_not_keep_other_events() -> None:
    assert matches(workflow("on: workflow_dispatch\n"), Event("workflow_dispatch", message="[skip ci]")).runs


def test_a_pull_request_is_filtered_by_its_base_and_activity() -> None:
    filtered = workflow("on: {pull_request: {branches: [main], paths: ['src/**']}}\n")
    event = Event("pull_request", branch="main", action="opened", changed=["src/x"])
    assert matches(filtered, event).runs
    assert not matches(filtered, Event("pull_request", branch="dev", action="opened", changed=["src/x"])).runs
    assert not matches(filtered, Event("pull_request", branch="main", action="labeled", changed=["src/x"])).runs
    assert not matches(filtered, Event("pull_request", branch="main", action="opened", changed=["docs"])).runs


def test_a_workflow_run_is_filtered_by_workflow_activity_and_branch() -> None:
    after = workflow("on: {workflow_run: {workflows: [CI], types: [completed], branches: [main]}}\n")
    assert matches(after, Event("workflow_run", source="CI", action="completed", branch="main")).runs
    assert not matches(after, Event("workflow_run", source="Other", action="completed", branch="main")).runs
    assert not matches(after, Event("workflow_run", source="CI", action="requested", branch="main")).runs
    assert not matches(after, Event("workflow_run", source="CI", action="completed", branch="dev")).runs


def test_a_schedule_starts_it_by_its_own_line() -> None:
    two = workflow("on:\n  schedule:\n    - cron: '0 1 * * *'\n    - cron: '30 5 * * 1,3'\n")
    match = matches(two, Event("schedule", source="30 5 * * 1,3"))
    assert (match.runs, match.pattern, match.line) == (True, "30 5 * * 1,3", 4)
    assert not matches(two, Event("schedule", source="1 1 * * *")).runs


def test_an_event_that_it_does_not_name_starts_nothing() -> None:
    assert matches(workflow("on: push\n"), Event("pull_request")).reason == "the workflow does not run on pull_request"
    assert not matches(workflow("on: [push, issues]\n"), Event("issues")).runs


def test_200_workflows_and_10000_files_take_less_than_half_a_second() -> None:
    patterns = ["'**/svc{0}/**'", "'apps/app{0}/src/**'", "'!apps/app{0}/src/docs/**'", "'**.md'"]
    workflows = [
        workflow(f"on: {{push: {{paths: [{', '.join(p.format(place) for p in patterns)}]}}}}\n") for place in range(200)
    ]
    event = push(*(f"apps/app{place % 150}/pkg{place % 37}/module_{place}.py" for place in range(10_000)))
    start = time.process_time()
    assert not any(matches(one, event).runs for one in workflows)
    assert time.process_time() - start < 1.5, "0.5 s on a quiet machine"
