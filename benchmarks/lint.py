"""How long `tidegate lint` takes on a large repository: 100 applications of ten files, each with its workflow."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

APPS = 100
MANIFESTS_EACH = 10
ROUNDS = 5

WORKFLOW = """\
name: {app}
on:
  push:
    branches: [main]
    paths:
      - 'apps/{app}/src/**'
      - 'apps/{app}/Dockerfile'
      - '.github/workflows/{app}-ci.yaml'
permissions:
  contents: read
  packages: write
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - id: version
        run: echo "version=1.0.$(git rev-list --count HEAD)" >> "$GITHUB_OUTPUT"
      - uses: docker/login-action@v3
        with:
          registry: ghcr.io
          username: ${{{{ github.actor }}}}
          password: ${{{{ secrets.GITHUB_TOKEN }}}}
      - uses: docker/build-push-action@v5
        with:
          context: ./apps/{app}
          push: true
          tags: |
            ghcr.io/me/{app}:${{{{ steps.version.outputs.version }}}}
            ghcr.io/me/{app}:latest
"""
FLUX = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: {app}, namespace: flux-system}}
spec: {{image: ghcr.io/me/{app}, interval: 1m}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: {app}, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: {app}}}
  policy:
    semver: {{range: ">=1.0.0"}}
"""
SHARED = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1m
  url: https://github.com/me/fleet
  ref: {branch: main}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  interval: 1m
  sourceRef: {kind: GitRepository, name: flux-system}
  git:
    commit:
      author: {name: Flux, email: flux@example.com}
  update: {path: ./apps, strategy: Setters}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
  namespace: {app}
spec:
  selector:
    matchLabels: {{app: {app}}}
  template:
    metadata:
      labels: {{app: {app}}}
    spec:
      containers:
        - name: {app}
          image: ghcr.io/me/{app}:1.0.0 # {{"$imagepolicy": "flux-system:{app}"}}
"""
OTHER = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {app}-{number}
  namespace: {app}
data:
  key: "{number}"
"""


def measure() -> Iterator[str]:
    """The median of the wall clock, and the CPU of one run."""
    with tempfile.TemporaryDirectory(prefix="tidegate-lint-") as name:
        folder = Path(name)
        write(folder)
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        taken = []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            command = [sys.executable, "-m", "tidegate", "lint", str(folder)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / ROUNDS
        yield f"lint of {files} files and {APPS} workflows: {median(taken):.2f} s, {cpu:.2f} s of CPU"


def write(folder: Path) -> None:
    """The repository."""
    texts = {"clusters/home/flux-system.yaml": SHARED}
    for number in range(APPS):
        app = f"app-{number}"
        texts[f".github/workflows/{app}-ci.yaml"] = WORKFLOW.format(app=app)
        texts[f"apps/{app}/flux.yaml"] = FLUX.format(app=app)
        texts[f"apps/{app}/deployment.yaml"] = DEPLOYMENT.format(app=app)
        for other in range(MANIFESTS_EACH - 2):
            texts[f"apps/{app}/config-{other}.yaml"] = OTHER.format(app=app, number=other)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
