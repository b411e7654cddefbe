"""What a scrape shows of the controllers' work."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.base.errors import Conflict, Unavailable
from tidegate.engine.metrics import Metrics
from tidegate.engine.outcome import Handled, Ready, Stalled, Waiting
from tidegate.kinds.objects import ObjectKey

KEY = ObjectKey("image.toolkit.fluxcd.io", "ImagePolicy", "flux-system", "web")
LABELS = {"kind": "ImagePolicy", "name": "web", "namespace": "flux-system"}


def policy(ready=None, **spec):
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    return {
        "apiVersion": f"{KEY.group}/v1beta2",
        "kind": KEY.kind,
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": spec,
        "status": {"conditions": conditions},
    }


def samples(metrics, name):
    families = text_string_to_metric_families(metrics.text().decode())
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


def test_durations_are_a_histogram_for_each_object():
    metrics = Metrics()
    metrics.seen(policy())
    for seconds in (0.004, 0.2, 70.0):
        metrics.reconciled("image-reflector-controller", policy(), Ready("fine"), seconds)
    buckets = {labels["le"]: value for labels, value in samples(metrics, "gotk_reconcile_duration_seconds_bucket")}
    assert (buckets["0.005"], buckets["0.1"], buckets["0.25"], buckets["60.0"], buckets["+Inf"]) == (1, 1, 2, 2, 3)
    assert samples(metrics, "gotk_reconcile_duration_seconds_count") == [(LABELS, 3)]
    assert samples(metrics, "gotk_reconcile_duration_seconds_sum") == [(LABELS, pytest.approx(70.204))]


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (Ready("fine"), "success"),
        (Ready("fine", requeue_after=60), "requeue_after"),
        (Waiting("the source", requeue_after=5), "requeue_after"),
        (Stalled("InvalidSpec", "wrong"), "success"),
        (Handled(), "success"),
        (Conflict("changed"), "requeue"),
        (Unavailable("down"), "error"),
    ],
)
def test_results_are_counted_in_the_words_of_controller_runtime(result, word):
    metrics = Metrics()
    metrics.reconciled("image-reflector-controller", policy(), result, 0.1)
    labels = {"controller": "image-reflector-controller"}
    assert samples(metrics, "controller_runtime_reconcile_total") == [(labels | {"result": word}, 1)]
    errors = samples(metrics, "controller_runtime_reconcile_errors_total")
    assert errors == ([(labels, 1)] if word == "error" else [])


def test_an_object_is_shown_as_it_was_last_seen():
    metrics = Metrics()
    metrics.seen(policy())
    metrics.seen(policy("True", suspend=True))
    [(labels, value)] = samples(metrics, "gotk_resource_info")
    assert value == 1
    assert labels == {
        "name": "web",
        "exported_namespace": "flux-system",
        "customresource_group": KEY.group,
        "customresource_kind": "ImagePolicy",
        "customresource_version": "v1beta2",
        "ready": "True",
        "suspended": "true",
    }


def test_a_deleted_object_leaves_nothing_also_where_it_was_being_reconciled():
    metrics = Metrics()
    metrics.seen(policy())
    metrics.reconciled("image-reflector-controller", policy(), Ready("fine"), 0.1)
    metrics.gone(KEY)
    metrics.reconciled("image-reflector-controller", policy(), Ready("fine"), 0.1)
    assert samples(metrics, "gotk_resource_info") == []
    assert samples(metrics, "gotk_reconcile_duration_seconds_count") == []


def test_the_process_and_the_queues_are_shown():
    metrics = Metrics()
    metrics.queues(lambda: {"source-controller/GitRepository": 3})
    assert samples(metrics, "workqueue_depth") == [({"name": "source-controller/GitRepository"}, 3)]
    assert samples(metrics, "process_resident_memory_bytes")[0][1] > 0
