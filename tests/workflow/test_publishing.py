"""Which workflows may push an image: told too often rather than too seldom."""

import pytest

from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.publishing import may_push_image


def pushes(steps, job=""):
    text = f"on: push\njobs:\n  one:\n{job or '    runs-on: ubuntu-latest'}\n"
    return may_push_image(parse_workflow((text + (f"    steps: [{steps}]\n" if steps else "")).encode(), "ci.yaml"))


@pytest.mark.parametrize(
    "step",
    [
        "{uses: docker/build-push-action@v6}",
        "{uses: docker/bake-action@v5}",
        "{uses: redhat-actions/push-to-registry@v2}",
        "{uses: ./.github/actions/mine}",
        "{uses: 'docker://alpine:3'}",
        "{run: docker push ghcr.io/me/web}",
        "{run: 'podman manifest push --all web docker://ghcr.io/me/web'}",
        "{run: skopeo copy oci:web docker://ghcr.io/me/web}",
        "{run: make image}",
        "{run: ./build}",
        "{run: bash build.sh}",
        "{run: 'docker push ${{ env.IMAGE }}'}",
        "{run: ./gradlew jib}",
    ],
)
def test_what_could_push(step):
    assert pushes(step)


@pytest.mark.parametrize(
    "step",
    [
        "{uses: actions/checkout@v4}",
        "{uses: actions/setup-python@v5}",
        "{uses: docker/login-action@v3}",
        "{uses: docker/setup-buildx-action@v3}",
        "{run: pytest -q}",
        "{run: pip install ruff}",
        "{run: 'echo ${{ github.sha }}'}",
    ],
)
def test_what_can_not(step):
    assert not pushes(step)


def test_a_called_workflow_could():
    assert pushes("", job="    uses: me/shared/.github/workflows/build.yaml@v1")
