import re

from hypothesis import given
from hypothesis import strategies as st

from tidegate.runner.names import label, labels, run_id, run_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CI = ".github/workflows/smartbiz-ci.yaml"


def name(**changes):
    given = {
        "repository": "Acme/Shop",
        "workflow": CI,
        "ref": "refs/heads/main",
        "before": "",
        "commit": COMMIT,
        "sequence": 1,
    }
    return run_name(**{**given, **changes})


def test_a_name_tells_repository_workflow_and_commit():
    assert re.fullmatch(r"acme-shop-smartbiz-ci-01234567-[0-9a-f]{6}", name())


def test_the_same_push_has_the_same_name_and_another_one_another():
    assert name() == name()
    others = [name(ref="refs/heads/b"), name(before="a" * 40), name(sequence=2), name(repository="acme/other")]
    assert len({name(), *others}) == 5


@given(st.text(), st.text())
def test_every_name_is_one_of_kubernetes(repository, workflow):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name(repository=repository, workflow=workflow))
    assert len(name(repository=repository * 50, workflow=workflow * 50)) <= 253


@given(st.text())
def test_every_label_is_one_of_kubernetes(text):
    assert re.fullmatch(r"|[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", label(text))


def test_labels_find_runs():
    assert labels("Acme/Shop", CI, COMMIT) == {
        "tidegate.dev/repository": "Acme.Shop",
        "tidegate.dev/workflow": "smartbiz-ci.yaml",
        "tidegate.dev/commit": COMMIT,
    }


def test_a_runs_id_is_its_own_number():
    assert run_id("a") != run_id("b")
    assert run_id("a") == run_id("a") < 2**53
