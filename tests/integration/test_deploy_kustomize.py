"""Folders are built as the real kustomize inside kubectl builds them, object for object."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from needed import need

from tidegate.base.files import FolderFiles
from tidegate.deploy.kustomize.build import build

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
      - name: web
        image: ghcr.io/acme/web:1.0.0
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: creds}}]
        ports: [{containerPort: 8080}, {containerPort: 53, protocol: UDP}]
      volumes: [{name: v, configMap: {name: settings}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: crb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: sa, namespace: default}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: a
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
BASE = """\
resources: [app.yaml]
configMapGenerator: [{name: settings, literals: [level=info, "url=http://a?b&c"]}]
secretGenerator: [{name: creds, files: [key], type: kubernetes.io/tls}]
commonLabels: {team: red}
"""
OVERLAYS = {
    "plain": "resources: [../base]\n",
    "named": "resources: [../base]\nnamePrefix: p-\nnameSuffix: -s\nnamespace: prod\n",
    "merged": "resources: [../base]\n"
    "configMapGenerator: [{name: settings, behavior: merge, literals: [level=debug]}]\n",
    "images": "resources: [../base]\nimages: [{name: ghcr.io/acme/web, newName: x/y, newTag: '2'}]\n"
    "replicas: [{name: web, count: 3}]\n",
    "patched": """\
resources: [../base]
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      template:
        spec:
          containers:
          - {name: side, image: b}
          - {name: web, ports: [{containerPort: 53, protocol: UDP, name: dns}]}
- target: {kind: Service|Ingress, labelSelector: team=red}
  patch: '[{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}]'
""",
    "replaced": """\
resources: [../base]
replacements:
- source: {kind: Service, fieldPath: spec.ports.0.port}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ['spec.template.spec.containers.[name=web].ports.0.containerPort']
""",
    "labelled": "resources: [../base]\nlabels: [{pairs: {env: x}, includeTemplates: true}]\n"
    "commonAnnotations: {note: o}\n",
    "typed": """\
resources: [../base]
openapi: {path: types.json}
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      template:
        spec:
          volumes: [{name: other, emptyDir: {}}]
          containers: [{name: side, image: b}, {name: web, ports: [{containerPort: 8080, name: http}]}]
""",
    "sorted": "resources: [../base]\nsortOptions: {order: legacy}\n",
}

TYPES = """\
definitions:
  deployment:
    x-kubernetes-group-version-kind: [{group: apps, version: v1, kind: Deployment}]
    properties: {spec: {properties: {template: {properties: {spec: {$ref: "#/definitions/pod"}}}}}}
  pod:
    properties:
      containers:
        type: array
        items: {properties: {ports: {type: array, x-kubernetes-patch-strategy: merge,
          x-kubernetes-list-map-keys: [containerPort, protocol]}}}
        x-kubernetes-patch-merge-key: name
        x-kubernetes-patch-strategy: merge
"""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_folder_is_built_as_kubectl_does(overlay, tmp_path):
    kubectl = need("kubectl", "kubernetes-client")
    for name, text in (("app.yaml", APP), ("key", "k" * 100), ("kustomization.yaml", BASE)):
        (tmp_path / "base").mkdir(exist_ok=True)
        (tmp_path / "base" / name).write_text(text)
    folder = tmp_path / overlay
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(OVERLAYS[overlay])
    (folder / "types.json").write_text(TYPES)
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 and "unknown" in done.stderr:
        pytest.skip("kubectl's kustomize is older than 5: apt-get install a newer kubernetes-client")
    assert done.returncode == 0, done.stderr
    wanted = list(yaml.safe_load_all(done.stdout))
    found = build(FolderFiles(tmp_path), overlay)
    # kubectl sorts by kind where nothing is said; the order has tests of its own
    assert sorted(map(_key, found)) == sorted(map(_key, wanted))
    assert {_key(one): one for one in found} == {_key(one): one for one in wanted}


def _key(obj):
    return obj["kind"], obj["metadata"]["name"], obj["metadata"].get("namespace", "")
