"""Errors of what a Kustomization says on top of a folder, and what is set last."""

import pytest

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.files import MemoryFiles
from tidegate.deploy.render import Wish, render
from tidegate.kinds.kustomization import Kustomization

CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: own, y: own}}\ndata: {k: v}\n"
FILES = MemoryFiles({"app/a.yaml": CONFIG_MAP, "app/kustomization.yaml": b"resources: [a.yaml]\npatches: []\n"})


def rendered(**spec):
    spec = {"interval": "1m", "prune": True, "path": "app", "sourceRef": {"kind": "GitRepository", "name": "s"}, **spec}
    obj = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "app", "namespace": "apps"}, "spec": spec,
    }  # fmt: skip
    return render(FILES, Wish.of(Kustomization.from_object(obj), None))


@pytest.mark.parametrize(
    ("spec", "error", "where"),
    [
        ({"patches": [{"patches": "x"}]}, InvalidInput, "spec.patches[0].patches"),
        ({"patches": [{"patch": 1}]}, InvalidInput, "spec.patches[0].patch"),
        ({"patches": [{"patch": "kind: [", "target": {"kind": "ConfigMap"}}]}, InvalidInput, "spec.patches[0]"),
        ({"images": [{"name": "a", "tag": "b"}]}, InvalidInput, "spec.images[0].tag"),
        ({"components": ["https://example.com/x"]}, InvalidInput, "spec.components[0]"),
        ({"components": ["/etc"]}, InvalidInput, "spec.components[0]"),
        ({"components": ["../missing"]}, NotFound, "spec.components[0]"),
        ({"components": ["../../../etc"]}, InvalidInput, "spec.components[0]"),
        ({"patchesStrategicMerge": ["x"]}, InvalidInput, "spec.patchesStrategicMerge[0]"),
    ],
)
def test_a_fault_is_named_by_its_field(spec, error, where):
    with pytest.raises(error) as caught:
        rendered(**spec)
    assert str(caught.value.where) == where


def test_common_metadata_comes_last():
    (found,) = rendered(commonMetadata={"labels": {"x": "common"}, "annotations": {"team": "a"}})
    assert found["metadata"] == {"name": "a", "labels": {"x": "common", "y": "own"}, "annotations": {"team": "a"}}
