import subprocess
import sys

from tidegate.runner.actions import BUILT_IN, built_in
from tidegate.runner.actions.check import action_problems, unknown_inputs
from tidegate.workflow.parse import parse_workflow


def problems(*steps):
    text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n" + "".join(f"      - {step}\n" for step in steps)
    return [problem.render() for problem in action_problems(parse_workflow(text.encode(), "ci.yaml"))]


def test_every_ref_of_a_built_in_action_will_do():
    for ref in ("v4", "main", "8e5e7e5ab8b370d6c329ec480221332ada57f0ab"):
        assert built_in(f"Actions/Checkout@{ref}") is built_in("actions/checkout@v1")
    assert built_in("actions/checkout") is None
    assert built_in("./actions/checkout@v1") is None


def test_an_action_is_loaded_when_it_is_used():
    code = (
        "import sys; from tidegate.runner import runs, local_jobs; from tidegate.runner.actions import built_in; "
        "built_in('actions/cache@v4'); print(*sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    names = [name.rpartition(".")[2] for name in loaded if name.startswith("tidegate.runner.actions.")]
    assert names == ["action", "cache", "check", "local", "uses"]


def test_an_action_that_leads_out_of_its_repository_is_named_at_its_line():
    assert problems("uses: acme/deploy@v1") == []
    (text,) = problems("uses: acme/deploy/../x@v1")
    assert text == (
        "ci.yaml:6:15: 'acme/deploy/../x@v1' names no action\n"
        "  6 |       - uses: acme/deploy/../x@v1\n"
        "    |               ^^^^^^^^^^^^^^^^^^^\n"
        "  help: write OWNER/NAME@REF or OWNER/NAME/PATH@REF"
    )


def test_an_input_that_would_be_ignored_is_refused_unless_it_says_no():
    assert problems("{uses: actions/checkout@v4, with: {sparse-checkout: false, lfs: '', ssh-key: null}}") == []
    (text,) = problems("{uses: actions/checkout@v4, with: {lfs: true}}")
    assert "the input 'lfs' of actions/checkout has no effect here: Git LFS is not known here" in text


def test_inputs_without_harm_pass():
    harmless = "{cache-from: type=gha, cache-to: 'type=gha,mode=max', provenance: false, sbom: true, pull: true}"
    assert problems(f"{{uses: docker/build-push-action@v6, with: {harmless}}}") == []


def test_what_the_action_does_not_have_is_warned_of_when_it_runs():
    text = "{uses: actions/checkout@v4, with: {fetch-dept: 0, FETCH-DEPTH: 0}}"
    assert problems(text) == []
    workflow = parse_workflow(f"on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{text}]\n".encode(), "ci.yaml")
    step = workflow.jobs["a"].steps[0]
    assert unknown_inputs(built_in("actions/checkout@v4").inputs, step.inputs) == ["fetch-dept"]


def test_no_input_is_of_two_kinds():
    for name in BUILT_IN:
        action = built_in(f"{name}@v1")
        assert action.inputs.action == name
        kinds = (set(action.inputs.known), set(action.inputs.accepted), set(action.inputs.refused))
        assert sum(map(len, kinds)) == len(set().union(*kinds)), action.inputs.action
