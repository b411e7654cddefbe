"""Building a folder that is written as a mapping of path to text."""

import pytest

from tidegate.base.errors import TidegateError
from tidegate.base.files import MemoryFiles
from tidegate.deploy.kustomize.build import build as build_folder

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: info}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: ghcr.io/acme/web:1.0.0
        env:
        - name: LEVEL
          valueFrom: {configMapKeyRef: {name: settings, key: level}}
        ports:
        - containerPort: 8080
      - name: side
        image: busybox
"""
WIDGET = """\
apiVersion: example.test/v1
kind: Widget
metadata: {name: first}
spec:
  size: 3
  items: [{name: a, n: 1}, {name: b, n: 2}]
"""
COMMON = {"cm.yaml": CONFIG_MAP, "svc.yaml": SERVICE, "ns.yaml": NAMESPACE, "dep.yaml": DEPLOYMENT, "w.yaml": WIDGET}


@pytest.fixture
def build():
    """`build(kustomization, **more files)`: the objects of `app/`, in which the files above lie too."""

    def run(kustomization, more=None, *, path="app", **options):
        files = {f"app/{name}": text for name, text in COMMON.items()} | (more or {})
        if kustomization is not None:
            files["app/kustomization.yaml"] = kustomization
        data = {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
        return build_folder(MemoryFiles(data), path, **options)

    return run


@pytest.fixture
def refusal(build):
    """The error that a build ends with, as people see it."""

    def run(*arguments, **options):
        with pytest.raises(TidegateError) as caught:
            build(*arguments, **options)
        return str(caught.value)

    return run


def names(objects):
    return [(one["kind"], one["metadata"]["name"]) for one in objects]
