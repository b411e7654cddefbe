"""Which events an Alert tells, by the rules of Flux's."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.alert import Alert
from tidegate.notify.telling import Told, concerns, revision_of


def alert(sources=None, **spec):
    sources = sources or [{"kind": "Kustomization", "name": "*"}]
    spec = {"providerRef": {"name": "chat"}, "eventSources": sources, **spec}
    metadata = {"name": "all", "namespace": "apps"}
    found = {
        "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
        "kind": "Alert",
        "metadata": metadata,
        "spec": spec,
    }
    return Alert.from_object(found)


def event(kind="Kustomization", name="web", namespace="apps", type="Normal", message="applied"):  # noqa: A002
    return Told.from_event(
        {
            "involvedObject": {"apiVersion": "x/v1", "kind": kind, "name": name, "namespace": namespace},
            "type": type, "reason": "R", "message": message, "lastTimestamp": "2026-01-15T12:00:00Z",
            "source": {"component": "kustomize-controller"},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sources", "given", "labels", "tells"),
    [
        ([{"kind": "Kustomization", "name": "web"}], event(), {}, True),
        ([{"kind": "Kustomization", "name": "db"}], event(), {}, False),
        ([{"kind": "Kustomization", "name": "*"}], event(name="any"), {}, True),
        ([{"kind": "GitRepository", "name": "*"}], event(), {}, False),
        ([{"kind": "Kustomization", "name": "*"}], event(namespace="other"), {}, False),
        ([{"kind": "Kustomization", "name": "*", "namespace": "other"}], event(namespace="other"), {}, True),
        ([{"kind": "Kustomization", "name": "*", "matchLabels": {"a": "1"}}], event(), {"a": "1", "b": "2"}, True),
        ([{"kind": "Kustomization", "name": "*", "matchLabels": {"a": "1"}}], event(), {"a": "2"}, False),
    ],
)
def test_sources(sources, given, labels, tells):
    assert concerns(alert(sources), given, labels) is tells


@pytest.mark.parametrize(
    ("severity", "type_", "tells"),
    [("info", "Normal", True), ("info", "Warning", True), ("error", "Normal", False), ("error", "Warning", True)],
)
def test_severities(severity, type_, tells):
    assert concerns(alert(eventSeverity=severity), event(type=type_), {}) is tells


@pytest.mark.parametrize(
    ("included", "excluded", "message", "tells"),
    [
        ([], ["^no change"], "no changes since", False),
        ([], ["^no change"], "applied", True),
        (["applied"], [], "it was applied", True),
        (["^applied"], [], "it was applied", False),
        (["applied"], ["was"], "it was applied", False),
    ],
)
def test_lists_of_expressions(included, excluded, message, tells):
    found = alert(inclusionList=included, exclusionList=excluded)
    assert concerns(found, event(message=message), {}) is tells


def test_an_expression_that_is_none_is_named():
    with pytest.raises(InvalidInput, match=r"spec\.exclusionList"):
        concerns(alert(exclusionList=["("]), event(), {})


def test_a_suspended_alert_tells_nothing():
    assert not concerns(alert(suspend=True), event(), {})


def test_metadata_of_the_event_comes_before_that_of_the_alert():
    told = event().told_with(revision="main@sha1:abc").told_with(revision="other", team="a", summary="")
    assert told.metadata == {"revision": "main@sha1:abc", "team": "a"}


@pytest.mark.parametrize(
    ("status", "revision"),
    [
        ({"lastAttemptedRevision": "main@sha1:a", "lastAppliedRevision": "main@sha1:b"}, "main@sha1:a"),
        ({"artifact": {"revision": "main@sha1:c"}}, "main@sha1:c"),
        ({"latestRef": {"tag": "1.2.3"}}, "1.2.3"),
        ({}, ""),
        ({"artifact": "x"}, ""),
    ],
)
def test_the_revision_is_the_objects(status, revision):
    assert revision_of({"status": status}) == revision
