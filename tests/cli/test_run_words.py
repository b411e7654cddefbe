"""How runs are listed and found: by name, by number, and what is said where neither is meant."""

from datetime import UTC, datetime

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.cli.logs import no_log, numbered
from tidegate.cli.runs import HEADER, WIDE, cells, duration

NOW = datetime(2026, 1, 15, 12, 1, 5, tzinfo=UTC)


def a_run(name="shop-ci-1", number=2, **status):
    spec = {"runNumber": number, "workflow": ".github/workflows/ci.yaml", "ref": "refs/heads/main", "commit": "a" * 40}
    spec |= {"repository": "acme/shop", "event": "push"}
    annotations = {"tidegate.dev/title": "Say a word that is longer than a table has room for"}
    return {
        "metadata": {"name": name, "namespace": "flux-system", "annotations": annotations},
        "spec": spec,
        "status": status,
    }


def test_a_number_finds_its_run_and_no_number_none():
    assert numbered([a_run("one", 1), a_run("two", 2)], 2) == ("flux-system", "two")
    assert numbered([a_run("one", 1)], 2) is None


def test_a_number_of_several_runs_names_them():
    with pytest.raises(InvalidInput) as caught:
        numbered([a_run("b"), a_run("a")], 2)
    assert "2 runs have the number 2: a (acme/shop, ci.yaml), b (acme/shop, ci.yaml)" in caught.value.explain()


def test_a_name_of_nothing_speaks_of_runs_and_pods():
    assert "no run and no pod is named 'nope'" in no_log("nope", "flux-system", []).explain()
    assert "tidegate logs web-0 -n shop" in no_log("web-0", "flux-system", ["shop"]).explain()


def test_a_row_has_a_title_and_a_duration():
    run = a_run(status="completed", conclusion="success", startedAt="2026-01-15T12:00:00Z",
                completedAt="2026-01-15T12:01:05Z")  # fmt: skip
    row = dict(zip(HEADER, cells(run, NOW, wide=False), strict=True))
    assert (row["STATUS"], row["RUN"], row["DURATION"]) == ("success", "#2", "1m5s")
    assert row["TITLE"] == "Say a word that is longer than a table …"
    wide = dict(zip([*HEADER, *WIDE], cells(run, NOW, wide=True), strict=True))
    assert wide["TITLE"] == "Say a word that is longer than a table has room for"
    assert wide["REPOSITORY"] == "acme/shop"


def test_a_run_that_goes_on_has_lasted_until_now_and_one_that_waits_not_at_all():
    assert duration("2026-01-15T12:00:00Z", None, NOW) == "1m5s"
    assert duration(None, None, NOW) == ""
    assert duration("2026-01-15T09:00:00Z", None, NOW) == "3h1m"
