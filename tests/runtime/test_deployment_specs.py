"""What a Deployment may ask for, and how a wrong field is named."""

from typing import Any

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runtime.deployment_spec import NETWORK, REPLICAS_LIMIT, read_deployment


def deployment(**spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "ghcr.io/shop/web:1.0.0"}]},
    }
    return {"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template} | spec}


def test_the_defaults() -> None:
    assert read_deployment(deployment(), one_at_a_time=False).wanted.replicas == 1


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"selector": 5}, "spec.selector"),
        ({"selector": {"matchLabels": "app=web"}}, "spec.selector.matchLabels"),
        ({"strategy": []}, "spec.strategy"),
        ({"strategy": "Recreate"}, "spec.strategy"),
        ({"strategy": {"rollingUpdate": "25%"}}, "spec.strategy.rollingUpdate"),
        ({"template": {"metadata": "web"}}, "spec.template.metadata"),
        ({"template": {"metadata": {"labels": [1]}}}, "spec.template.metadata.labels"),
        ({"replicas": REPLICAS_LIMIT + 1}, "spec.replicas"),
        ({"replicas": -1}, "spec.replicas"),
    ],
)
def test_a_wrong_field_is_named(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_deployment(deployment(**spec), one_at_a_time=False)
    assert error.value.where is not None
    assert error.value.where.field == field


def test_the_largest_number_of_replicas_is_fine() -> None:
    found = read_deployment(deployment(replicas=REPLICAS_LIMIT), one_at_a_time=False)
    assert found.wanted.replicas == REPLICAS_LIMIT


def annotated(value: Any) -> dict[str, Any]:
    found = deployment()
    found["spec"]["template"]["metadata"]["annotations"] = {NETWORK: value}
    return found


def test_a_pod_is_closed_where_its_annotation_says_so() -> None:
    assert not read_deployment(deployment(), one_at_a_time=False).closed
    assert not read_deployment(annotated("auto"), one_at_a_time=False).closed
    assert read_deployment(annotated("none"), one_at_a_time=False).closed


@pytest.mark.parametrize("value", ["off", "None", "", True, None])
def test_a_slip_in_the_annotation_opens_nothing(value: Any) -> None:
    with pytest.raises(InvalidInput) as error:
        read_deployment(annotated(value), one_at_a_time=False)
    assert "annotations[tidegate.dev/network]" in error.value.explain()
    assert error.value.remedy == "write auto or none"
