"""The annotation that says which tag was taken back."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.rolled_back import CAUSE_LIMIT, ROLLED_BACK, RolledBack, rolled_back_of, split

BACK = RolledBack("ghcr.io/me/web:1.0.8", "ghcr.io/me/web:1.0.7", "c" * 40, "Deployment shop/web\n  crashed")


def policy(value):
    return {"metadata": {"name": "web", "annotations": {ROLLED_BACK: value}}}


def test_it_comes_back_as_it_was_written_and_says_so_in_one_line():
    assert rolled_back_of(policy(BACK.value())) == BACK
    assert BACK.words() == "1.0.8 was taken back: Deployment shop/web | crashed"
    assert rolled_back_of({"metadata": {}}) is None


def test_a_cause_is_cut():
    long = RolledBack(BACK.bad, BACK.good, BACK.commit, "x" * 10_000)
    assert len(rolled_back_of(policy(long.value())).cause) == CAUSE_LIMIT
    assert len(long.words()) < 400


def test_where_only_the_digest_differs_it_is_named():
    moved = RolledBack("web:main@sha256:b", "web:main@sha256:a", "c" * 40, "why")
    assert moved.words() == "main@sha256:b was taken back: why"


@pytest.mark.parametrize(
    "value",
    ["1.0.8", "{}", "[]", '{"from": 1, "to": 2, "commit": 3, "cause": 4}', BACK.value().replace("me/web:1.0.7", "o:1"),
     BACK.value().replace("1.0.7", "no tag"), BACK.value().replace("1.0.8", "1.0.8@sha256:none"),
     BACK.value().replace("c" * 40, "c0ffee\\nSigned-off-by: me"), BACK.value().replace("ghcr.io", "GH CR")],
)  # fmt: skip
def test_what_can_t_be_read_names_the_annotation_and_the_way_out(value):
    with pytest.raises(InvalidInput) as told:
        rolled_back_of(policy(value))
    assert ROLLED_BACK in str(told.value)
    assert "kubectl annotate" in told.value.explain()


def test_a_reference_is_split_as_it_is_spelled():
    assert split("localhost:5000/web") == ("localhost:5000/web", "", "")
    assert split("localhost:5000/web:1@sha256:a") == ("localhost:5000/web", "1", "sha256:a")
