"""`tidegate lint`: its exit codes and formats."""

import json

import pytest
from tests.lint.repositories import files, workflow

from tidegate.cli.main import run


@pytest.fixture
def lay(tmp_path):
    def write(texts):
        for path, text in texts.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return str(tmp_path)

    return write


def test_a_loop_exits_with_1_and_a_proof_with_0(lay, capsys):
    assert run(["lint", lay(files())]) == 1
    assert "[feedback-loop]" in capsys.readouterr().out
    assert run(["lint", lay(files(workflow=workflow(paths="    paths: [src/**]\n")))]) == 0
    assert "1 automation proven not to loop" in capsys.readouterr().out


def test_what_can_not_be_read_and_wrong_usage_exit_with_2(lay, capsys):
    assert run(["lint", lay(files(workflow="on: push\njobs: {}\n"))]) == 2
    assert run(["lint", "/no/such/folder"]) == 2
    assert run(["lint", lay(files()), "--format", "xml"]) == 2
    capsys.readouterr()


def test_sarif_has_the_rule_the_line_and_the_loop_as_a_code_flow(lay, capsys):
    run(["lint", lay(files()), "--format", "sarif"])
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    (result,) = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "feedback-loop"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == ".github/workflows/myapp-ci.yaml"
    assert place["region"]["startLine"] == 6
    flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
    lines = [
        (step["location"]["physicalLocation"]["artifactLocation"]["uri"].rpartition("/")[2],
         step["location"]["physicalLocation"]["region"]["startLine"])
        for step in flow
    ]  # fmt: skip
    assert lines == [
        ("deployment.yaml", 11),
        ("myapp-ci.yaml", 6),
        ("myapp-ci.yaml", 16),
        ("myapp.yaml", 25),
        ("myapp.yaml", 31),
        ("deployment.yaml", 11),
    ]


def test_json_has_the_way_round_and_github_one_command_a_finding(lay, capsys):
    folder = lay(files())
    run(["lint", folder, "--format", "json"])
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["rule"], finding["level"], finding["line"], len(finding["way"])) == ("feedback-loop", "error", 6, 6)
    run(["lint", folder, "--format", "github"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::error file=.github/workflows/myapp-ci.yaml,line=6,title=feedback-loop::a commit of the")
    assert "%0A→ apps/myapp/deployment.yaml:11: the automation" in line


def test_a_fix_is_told_and_what_is_left_is_looked_at_again(lay, capsys):
    folder = lay(files())
    assert run(["lint", folder, "--fix"]) == 0
    said = capsys.readouterr()
    assert said.err == "fixed .github/workflows/myapp-ci.yaml\n"
    assert "1 automation proven not to loop" in said.out
