"""What a Flux Kustomization says on top of a folder comes to what the real kustomize inside kubectl makes of the same
words in the folder's own file: that is how Flux does it.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from needed import need

from tidegate.base.files import FolderFiles
from tidegate.deploy.render import Wish, render
from tidegate.kinds.kustomization import Kustomization

pytestmark = pytest.mark.integration
APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: sa
      containers:
      - {name: web, image: "ghcr.io/acme/web:1.0.0"}
      - {name: side, image: busybox}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: sa, namespace: default}]
"""
COMPONENT = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
namePrefix: c-
patches:
- patch: '[{"op": "add", "path": "/metadata/annotations", "value": {"component": "yes"}}]'
  target: {kind: Deployment}
"""
STRATEGIC = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 4}}
OWN = {
    "resources": ["app.yaml"],
    "namePrefix": "own-",
    "images": [{"name": "busybox", "newTag": "1.36"}],
    "patches": [{"patch": "- {op: replace, path: /spec/replicas, value: 2}", "target": {"kind": "Deployment"}}],
}
PATCH = {"patch": "- {op: add, path: /metadata/labels, value: {a: b}}", "target": {"kind": "Deployment", "name": "web"}}
IMAGES = [{"name": "busybox", "newName": "alpine"}, {"name": "ghcr.io/acme/web", "digest": f"sha256:{'0' * 64}"}]
CASES = {
    "names": ({"namePrefix": "spec-", "nameSuffix": "-x"}, {"namePrefix": "spec-", "nameSuffix": "-x"}),
    "namespace": ({"targetNamespace": "shop"}, {"namespace": "shop"}),
    "a patch behind the file's": ({"patches": [PATCH]}, {"patches": [*OWN["patches"], PATCH]}),
    "a strategic merge": ({"patchesStrategicMerge": [STRATEGIC]}, {"patchesStrategicMerge": [yaml.dump(STRATEGIC)]}),
    "a JSON patch": (
        {"patchesJson6902": [{"target": {"version": "v1", "kind": "ServiceAccount", "name": "sa"},
                              "patch": [{"op": "add", "path": "/metadata/labels", "value": {"c": "d"}}]}]},
        {"patchesJson6902": [{"target": {"version": "v1", "kind": "ServiceAccount", "name": "sa"},
                              "patch": '[{"op": "add", "path": "/metadata/labels", "value": {"c": "d"}}]'}]},
    ),
    "an image in the place of the file's": (
        {"images": IMAGES},
        {"images": IMAGES},
    ),
    "a component": ({"components": ["../component"]}, {"components": ["../component"]}),
    "a component that may be missing": (
        {"components": ["../component", "../missing"], "ignoreMissingComponents": True},
        {"components": ["../component"]},
    ),
    "everything": (
        {"targetNamespace": "shop", "namePrefix": "p-", "patches": [PATCH], "components": ["../component"]},
        {"namespace": "shop", "namePrefix": "p-", "patches": [*OWN["patches"], PATCH], "components": ["../component"]},
    ),
}  # fmt: skip


def kustomization(**spec):
    spec = {
        "interval": "1m",
        "prune": True,
        "path": "./app",
        "sourceRef": {"kind": "GitRepository", "name": "s"},
        **spec,
    }
    metadata = {"name": "app", "namespace": "flux-system"}
    return {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec}


def in_order(objects):
    """What is printed comes in another order than what is applied."""
    return sorted(objects, key=lambda obj: (obj["kind"], obj["metadata"]["name"]))


def write(root, own):
    (root / "app").mkdir(parents=True)
    (root / "component").mkdir()
    (root / "app/app.yaml").write_text(APP)
    (root / "component/kustomization.yaml").write_text(COMPONENT)
    if own is not None:
        (root / "app/kustomization.yaml").write_text(yaml.dump(own))


@pytest.mark.parametrize("own", [OWN, None], ids=["with a file", "without a file"])
@pytest.mark.parametrize(("spec", "merged"), CASES.values(), ids=CASES)
def test_a_spec_comes_to_what_the_same_words_in_the_file_do(tmp_path, spec, merged, own):
    need("kubectl", "kubernetes-client")
    write(tmp_path / "flux", own)
    wish = Wish.of(Kustomization.from_object(kustomization(**spec)), None)
    found = render(FolderFiles(tmp_path / "flux"), wish)
    plain = {"resources": ["app.yaml"]}
    if own is None and "patches" in merged:
        merged = merged | {"patches": [PATCH]}
    write(tmp_path / "kustomize", {**(own or plain), **merged})
    done = subprocess.run(
        ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(tmp_path / "kustomize/app")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert in_order(found) == in_order(yaml.safe_load_all(done.stdout))
