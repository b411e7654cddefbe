"""docs/workflows.md: each row of its table is tried, and its example of what is shown is what is shown."""

import re
from pathlib import Path

import pytest

from tidegate.app.cluster_runs import LACKING, NO_CONTAINERS
from tidegate.base.errors import NotFound
from tidegate.git.pinned import FETCH_TIMEOUT, KEPT_BYTES, KEPT_SECONDS, MIB, PACK_LIMIT, TREE_LIMIT
from tidegate.runner.actions import BUILT_IN
from tidegate.runner.borrowing import MOST_REPOSITORIES
from tidegate.runner.linking import linked_in
from tidegate.workflow.problems import InvalidWorkflow

PAGE = (Path(__file__).parents[2] / "docs/workflows.md").read_text()
CI = ".github/workflows/ci.yaml"
STEPS = "runs-on: x, steps: [{run: x}]"
JOBS = f"jobs: {{a: {{{STEPS}}}}}"


class Tree:
    """Files of a commit."""

    def __init__(self, files):
        self._files = files

    def paths(self):
        return sorted(self._files)

    def read(self, path):
        if path not in self._files:
            raise NotFound(path)
        return self._files[path].encode()


def refusal(text, **files):
    """What keeps a workflow from running here; empty where nothing does."""
    try:
        linked_in(Tree({CI: text, **files}), CI)
    except InvalidWorkflow as error:
        return str(error)
    return ""


def event(text):
    return f"on: {text}\n{JOBS}"


def top(text):
    return f"on: push\n{text}\n{JOBS}"


def job(text, own=STEPS):
    return f"on: push\njobs: {{b: {{{STEPS}}}, a: {{{', '.join(part for part in (text, own) if part)}}}}}"


def step(text, *more):
    return f"on: push\njobs: {{a: {{runs-on: x, steps: [{', '.join([text, *more])}]}}}}"


FILTERS = "push: {branches: [main, '!x'], tags-ignore: [v1], paths: ['src/**']}"
INPUTS = ", ".join(f"{kind}: {{type: {kind}}}" for kind in ("string", "boolean", "number", "environment"))
DISPATCH = f"{{workflow_dispatch: {{inputs: {{{INPUTS}, choice: {{type: choice, options: [a]}}}}}}}}"
MATRIX = (
    "strategy: {matrix: {v: [1, 2], o: '${{ fromJSON(''[1]'') }}', include: [{v: 3}], exclude: [{v: 1}]}, "
    "fail-fast: false, max-parallel: 1}"
)
CALLED = {".github/workflows/called.yaml": event("workflow_call")}
ACTION = {"act/action.yml": "runs: {using: composite, steps: [{run: x, shell: sh}]}"}
SCRIPT = {"act/action.yml": "runs: {using: node24, main: index.js}"}
DOCKER = {"act/action.yml": "runs: {using: docker, image: Dockerfile, args: [a], entrypoint: /b, env: {A: b}}"}
ROWS = {
    "`on.push`": (event(f"{{{FILTERS}}}"), ""),
    "`on.pull_request`": (event("{pull_request: {branches: [main]}}"), ""),
    "`on.pull_request_target`": (event("pull_request_target"), "the event 'pull_request_target' is refused"),
    "`on.workflow_dispatch`": (event(DISPATCH), ""),
    "`on.workflow_call`": (event("workflow_call"), ""),
    "`on.workflow_run`": (event("{workflow_run: {workflows: [A], types: [completed], branches: [main]}}"), ""),
    "`on.schedule`": (event("{schedule: [{cron: '0 6 * * *', timezone: Europe/Berlin}]}"), ""),
    "`run-name`": (top("run-name: by ${{ github.actor }}"), ""),
    "`concurrency`": (top("concurrency: {group: a, cancel-in-progress: true}"), ""),
    "`permissions`": (top("permissions: {packages: write}"), ""),
    "`defaults.run`, `env`": (top("defaults: {run: {shell: bash, working-directory: x}}\nenv: {A: b}"), ""),
    "`jobs.<id>.needs`, `if`, `outputs`": (job("needs: b, if: always(), outputs: {a: b}"), ""),
    "`jobs.<id>.strategy`": (job(MATRIX), ""),
    "`jobs.<id>.timeout-minutes`": (job("timeout-minutes: 5"), ""),
    "`jobs.<id>.continue-on-error`": (job("continue-on-error: true"), ""),
    "`jobs.<id>.environment`": (job("environment: {name: production, url: 'https://x.example'}"), ""),
    "`jobs.<id>.runs-on`": (job("", "runs-on: [self-hosted, '${{ github.ref_name }}'], steps: [{run: x}]"), ""),
    "`jobs.<id>.uses: ./…`": (job("uses: ./.github/workflows/called.yaml, secrets: inherit", ""), "", CALLED),
    "`jobs.<id>.uses: OWNER/NAME/…`": (
        job("uses: acme/ci/.github/workflows/x.yaml@v1", ""),
        "",
    ),
    "`jobs.<id>.container`": (job("container: debian"), ""),
    "`jobs.<id>.services`": (job("services: {db: {image: postgres}}"), ""),
    "`steps[*].run`, `shell`": (
        step(*(f"{{run: x, shell: {name}}}" for name in ("bash", "sh", "python", "pwsh", "'perl {0}'"))),
        "",
    ),
    "`steps[*].timeout-minutes`": (step("{run: x, timeout-minutes: 1}"), ""),
    "`steps[*].continue-on-error`": (step("{run: x, continue-on-error: true}"), ""),
    "`steps[*].uses: ./…`": (step("{uses: ./act}"), "", ACTION),
    "`steps[*].uses: $/…`": (step("{uses: $/act}"), "an action of the running commit ('$/…') is not supported yet"),
    "JavaScript actions of the repository": (
        step("{uses: ./act}"),
        "",
        SCRIPT,
    ),
    "`steps[*].uses: docker://…`": (step("{uses: 'docker://alpine'}"), ""),
    "Docker actions of the repository": (step("{uses: ./act}"), "", DOCKER),
    "`steps[*].uses: OWNER/NAME@REF`": (step(*(f"{{uses: {name}@main}}" for name in (*BUILT_IN, "a/b/c"))), ""),
    "expressions": (step("{run: '${{ toJSON(github.event.commits.*.id) }}', if: \"contains(github.ref, 'v')\"}"), ""),
    "`hashFiles`": (step("{run: '${{ hashFiles(''**/lock'') }}'}"), ""),
    "YAML anchors": (f"on: push\njobs: {{b: &b {{{STEPS}}}, a: *b}}", ""),
    "step summaries": (step("{run: echo >> $GITHUB_STEP_SUMMARY}"), ""),
    "cancelling a step": (step("{run: x, if: cancelled()}"), ""),
}


def table():
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 5]
    return {row[0].strip(): row[1].strip() for row in rows if row[1].strip() != "Tidegate"}


def test_every_row_of_the_table_is_tried():
    assert list(table()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_happens(row):
    text, message, *files = ROWS[row]
    said = refusal(text, **(files[0] if files else {}))
    if table()[row].startswith("refused"):
        assert message
        assert message in said
    else:
        assert said == ""


def test_the_actions_that_are_built_in_are_named():
    (listed,) = re.findall(r"Built in are (.*?), of any ref\.", PAGE, re.DOTALL)
    assert set(re.findall(r"`([^`]+)`", listed)) == set(BUILT_IN)


def test_what_a_cluster_has_no_place_for_is_refused_by_name_in_actions_too():
    used = {"act/action.yml": "runs: {using: composite, steps: [{uses: actions/cache@v4, with: {key: a, path: b}}]}"}
    text = step("{uses: ./act}", "{uses: actions/upload-artifact@v4}", "{uses: actions/checkout@v4}")
    with pytest.raises(InvalidWorkflow) as error:
        linked_in(Tree({CI: text, **used}), CI, LACKING)
    assert re.search(r"act/action.yml:1:\d+: the action 'actions/cache@v4' is not supported in", str(error.value))
    assert "the action 'actions/upload-artifact@v4' is not supported in a cluster yet" in str(error.value)
    assert len(error.value.problems) == 2
    assert set(LACKING) <= set(BUILT_IN)


def test_containers_are_refused_in_a_cluster_by_name_in_actions_too():
    text = job("container: debian, services: {db: {image: postgres}}", "runs-on: x, steps: [{uses: ./act}]")
    with pytest.raises(InvalidWorkflow) as error:
        linked_in(Tree({CI: text, **DOCKER}), CI, LACKING, lack=lambda: NO_CONTAINERS)
    said = [problem.message.partition(" can't run here: ")[0] for problem in error.value.problems]
    assert sorted(said) == ["'container'", "'services'", "an action from an image"]
    assert "a job of a cluster starts no containers yet" in str(error.value)


def test_the_limits_of_what_is_fetched_are_those_that_hold():
    said = " ".join(PAGE.split())
    assert f"{PACK_LIMIT // MIB} MiB as it is sent and {TREE_LIMIT // MIB // 1024} GiB of files at most" in said
    assert f"{KEPT_BYTES // MIB // 1024} GiB in all; what nobody has used for {KEPT_SECONDS / 86400:g} days" in said
    assert f"from {MOST_REPOSITORIES} refs at most" in said
    assert FETCH_TIMEOUT == 180


def test_the_example_of_what_is_shown_is_what_is_shown():
    (example,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    text = """\
on:
  push:
    branch: [main]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: make ${{ github.reff_name
"""
    assert refusal(text) == example.rstrip("\n")
