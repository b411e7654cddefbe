"""`spec.ref.semver`: the highest tag in a range."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.engine.outcome import Stalled
from tidegate.kinds.semver_ranges import parse_range
from tidegate.source.controller import GitRepositoryController
from tidegate.source.reading import wanted_range
from tidegate.source.versions import newest_tag


def source(**ref):
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"url": "https://example.org/a", "interval": "1m", "ref": ref},
    }


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        (">=1.0.0", "v1.10.0"),
        ("~1.9", "1.9.3"),
        (">=1.0.0-0", "2.0.0-rc.1"),
        ("<1.0.0", "0.9.0"),
        (">=3", None),
    ],
)
def test_the_highest_version_in_the_range_counts(wanted, tag):
    tags = ["0.9.0", "1.9.3", "v1.10.0", "2.0.0-rc.1", "latest", "9", "v9.0", "1.2.3.4"]
    refs = [*(f"refs/tags/{name}" for name in tags), "refs/heads/99.0.0"]
    assert newest_tag(refs, parse_range(wanted)) == (tag and f"refs/tags/{tag}")


def test_of_equal_versions_the_order_of_the_listing_decides_nothing():
    refs = ["refs/tags/v1.0.0", "refs/tags/1.0.0"]
    assert newest_tag(refs, parse_range("1.x")) == newest_tag(refs[::-1], parse_range("1.x")) == "refs/tags/v1.0.0"


@pytest.mark.parametrize("more_exact", [{"commit": "0" * 40}, {"name": "refs/heads/main"}])
def test_a_commit_and_a_name_count_before_a_range(more_exact):
    assert wanted_range(source(semver=">=1.0.0", **more_exact)) is None


def test_a_range_counts_before_a_tag_and_a_branch():
    assert wanted_range(source(semver=">=1.0.0", tag="v1", branch="main")).text == ">=1.0.0"


def test_what_is_no_range_is_refused():
    with pytest.raises(InvalidInput, match="no comparison"):
        wanted_range(source(semver="1.2.3.4"))


async def test_what_is_no_range_is_not_tried_again():
    class _Context:
        store = clock = None

    outcome = await GitRepositoryController(origins=None, trees=None).reconcile(source(semver="newest"), _Context())
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidSpec"
