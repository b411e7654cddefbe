from pathlib import Path

from tidegate.kinds.platform import Platform
from tidegate.runner.contexts import RunFacts, github_context, in_job, ref_parts, runner_context, variables
from tidegate.runner.layout import Layout

LAYOUT = Layout(Path("/o"), Path("/t"), Path("/s"), "/home/runner", "shop")
FACTS = RunFacts(
    repository="acme/shop",
    workflow="CI",
    workflow_file=".github/workflows/ci.yaml",
    event_name="push",
    ref="refs/heads/feature/a",
    sha="a" * 40,
    actor="acme",
    run_id=7,
    run_number=3,
    run_attempt=2,
    server_url="https://github.com",
    event={"ref": "refs/heads/feature/a"},
)


def test_the_github_context_has_what_workflows_read():
    github = in_job(github_context(FACTS), job="build", layout=LAYOUT, token="t")
    expected = {
        "repository": "acme/shop", "repository_owner": "acme", "sha": "a" * 40, "ref": "refs/heads/feature/a",
        "ref_name": "feature/a", "ref_type": "branch", "event_name": "push", "actor": "acme", "run_id": "7",
        "run_number": "3", "run_attempt": "2", "workflow": "CI", "job": "build", "token": "t",
        "server_url": "https://github.com", "api_url": "https://github.com/api/v3",
        "workspace": "/home/runner/work/shop/shop",
        "workflow_ref": "acme/shop/.github/workflows/ci.yaml@refs/heads/feature/a",
    }  # fmt: skip
    assert expected.items() <= github.items()
    assert github["event"] == {"ref": "refs/heads/feature/a"}


def test_a_tag_is_a_tag():
    assert ref_parts("refs/tags/v1.0") == ("tag", "v1.0")


def test_variables_say_the_same_and_hold_no_token():
    github = in_job(github_context(FACTS), job="build", layout=LAYOUT, token="t-secret")
    found = variables(github, runner_context(LAYOUT, Platform("linux", "arm", "v7")), LAYOUT, "/bin")
    assert found["GITHUB_SHA"] == "a" * 40
    assert found["GITHUB_REF_PROTECTED"] == "false"
    assert found["GITHUB_EVENT_PATH"] == "/home/runner/work/_temp/_github_workflow/event.json"
    assert (found["RUNNER_ARCH"], found["RUNNER_OS"]) == ("ARM", "Linux")
    assert found["RUNNER_TEMP"] == "/home/runner/work/_temp"
    assert "t-secret" not in found.values()
    assert not {"GITHUB_EVENT", "GITHUB_TOKEN"} & set(found)
