"""GitRepository objects: which commit is wanted, and what is refused by name."""

from types import SimpleNamespace

import pytest

from tidegate.engine.outcome import Stalled
from tidegate.source.controller import GitRepositoryController
from tidegate.source.reading import revision_of, wanted_ref

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def source(**spec):
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"url": "https://github.com/me/cluster", "interval": "1m", **spec},
    }


@pytest.mark.parametrize(
    ("ref", "wanted"),
    [
        (None, "refs/heads/master"),
        ({"branch": "main"}, "refs/heads/main"),
        ({"tag": "v1"}, "refs/tags/v1"),
        ({"name": "refs/pull/7/head", "tag": "v1", "branch": "main"}, "refs/pull/7/head"),
        ({"commit": COMMIT, "branch": "main"}, COMMIT),
    ],
)
def test_the_most_exact_ref_counts(ref, wanted):
    assert wanted_ref(source(**({"ref": ref} if ref else {}))) == wanted


@pytest.mark.parametrize(
    ("ref", "revision"),
    [
        ("refs/heads/main", f"main@sha1:{COMMIT}"),
        ("refs/heads/a/b", f"a/b@sha1:{COMMIT}"),
        ("refs/tags/v1", f"v1@sha1:{COMMIT}"),
        ("refs/pull/7/head", f"refs/pull/7/head@sha1:{COMMIT}"),
        (COMMIT, f"sha1:{COMMIT}"),
    ],
)
def test_revisions_are_written_as_flux_writes_them(ref, revision):
    assert revision_of(ref, COMMIT) == revision


@pytest.mark.parametrize(
    "spec",
    [
        {"provider": "github"},
        {"proxySecretRef": {"name": "proxy"}, "url": "ssh://git@github.com/me/cluster"},
    ],
)
async def test_what_has_no_effect_is_refused_by_name(spec):
    controller = GitRepositoryController(origins=None, trees=None)
    outcome = await controller.reconcile(source(**spec), SimpleNamespace(store=None, clock=None))
    assert isinstance(outcome, Stalled)
    assert outcome.message.startswith(f"not supported yet: spec.{next(iter(spec))}")


@pytest.mark.parametrize(
    "spec",
    [
        {"sparseCheckout": ["../etc"]},
        {"sparseCheckout": ["a/../../b"]},
        {"include": [{"repository": {"name": "other"}, "toPath": "../x"}]},
        {"include": [{"repository": {"name": "other"}, "fromPath": "a/.."}]},
        {"include": [{"repository": {"name": "flux-system"}}]},
    ],
)
async def test_what_leads_out_or_back_is_wrong(spec):
    controller = GitRepositoryController(origins=None, trees=None)
    outcome = await controller.reconcile(source(**spec), SimpleNamespace(store=None, clock=None))
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "InvalidSpec"
