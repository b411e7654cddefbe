import pytest

from tidegate.base.errors import InvalidInput
from tidegate.cli.main import run
from tidegate.cli.reconcilable import KINDS, reconcilable


@pytest.mark.parametrize("word", ["source", "gitrepo", "ks", "imgpol", "runner"])
def test_kinds_whose_controllers_know_the_request_are_taken(word):
    assert reconcilable(word, "suspended") in KINDS


@pytest.mark.parametrize("word", ["deployment", "pod", "workflowrun", "configmap"])
def test_other_kinds_are_refused_by_name_with_the_list(word):
    with pytest.raises(InvalidInput, match="can't be suspended") as caught:
        reconcilable(word, "suspended")
    assert "gitrepository, kustomization" in caught.value.explain()


@pytest.mark.parametrize("command", ["suspend", "resume", "reconcile"])
def test_help_lists_the_kinds(command, capsys):
    run([command, "--help"])
    assert "KIND is one of gitrepository, kustomization" in " ".join(capsys.readouterr().out.split())
