"""The texts of new files. What stands for a value is `%{name}`, which neither YAML nor a workflow has. Pure."""

from __future__ import annotations

import re

_PLACE = re.compile(r"%\{(\w+)\}")


def fill(template: str, **values: str) -> str:
    """A template with its values; KeyError for one that is not given."""
    return _PLACE.sub(lambda found: values[found[1]], template)


WORKFLOW = """\
name: %{name} CI/CD

on:
  push:
    branches:
      - %{branch}
    paths:
%{paths}

env:
  REGISTRY: %{registry}
  IMAGE_NAME: %{repository}

jobs:
  build:
    runs-on: ubuntu-latest
    permissions:
      contents: read
      packages: write

    steps:
      - name: Checkout repository
        uses: %{checkout}
        with:
          fetch-depth: 0

      - name: Calculate version
        id: version
        run: echo "version=1.0.$(git rev-list --count HEAD)" >> "$GITHUB_OUTPUT"

      - name: Set up QEMU
        uses: %{qemu}

      - name: Set up Docker Buildx
        uses: %{buildx}

      - name: Log in to the registry
        uses: %{login}
        with:
          registry: ${{ env.REGISTRY }}
          username: ${{ %{username} }}
          password: ${{ secrets.%{password} }}

      - name: Build and push
        uses: %{build}
        with:
          context: ./%{context}
          platforms: %{platforms}
          push: true
          build-args: |
            VERSION=${{ steps.version.outputs.version }}
          tags: |
            ${{ env.REGISTRY }}/${{ env.IMAGE_NAME }}:${{ steps.version.outputs.version }}
"""

NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: %{namespace}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %{name}
  namespace: %{namespace}
  labels:
    app: %{name}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: %{name}
  template:
    metadata:
      labels:
        app: %{name}
    spec:
      containers:
        - name: %{name}
          image: %{image}:1.0.0 # %{marker}
          ports:
            - name: http
              containerPort: %{port}
          readinessProbe:
            tcpSocket:
              port: http
            periodSeconds: 2
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: %{name}
  namespace: %{namespace}
spec:
  selector:
    app: %{name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""

KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
"""

IMAGE_REPOSITORY = """\
apiVersion: %{version}
kind: ImageRepository
metadata:
  name: %{name}
  namespace: %{namespace}
spec:
  image: %{image}
  interval: 1m
"""

IMAGE_POLICY = """\
apiVersion: %{version}
kind: ImagePolicy
metadata:
  name: %{name}
  namespace: %{namespace}%{labels}
spec:
  imageRepositoryRef:
    name: %{repository}
%{rule}"""

AUTOMATION = """\
apiVersion: %{version}
kind: ImageUpdateAutomation
metadata:
  name: %{name}
  namespace: %{namespace}
spec:
  interval: 1m
  sourceRef:
%{source}
  git:
%{git}
  update:
    path: ./%{path}
    strategy: Setters
"""

APPLIED = """\
apiVersion: %{version}
kind: Kustomization
metadata:
  name: %{name}
  namespace: %{namespace}
spec:
  interval: 10m
  path: ./%{path}
  prune: true
  sourceRef:
%{source}
"""

SAMPLE = '''\
"""%{name}: answers with its name and version."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("APP_VERSION", "dev")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"%{name} {VERSION}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", %{port}), Handler).serve_forever()
'''

PYTHON = """\
FROM python:3.11-slim

WORKDIR /app
%{copying}
ARG VERSION=dev
ENV APP_VERSION=${VERSION}
EXPOSE %{port}
USER 1000:1000
CMD ["python3", "%{start}"]
"""

REQUIREMENTS = """\
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
"""

NODE = """\
FROM node:22-slim

WORKDIR /app
COPY package*.json ./
RUN npm install --omit=dev
COPY . .

ARG VERSION=dev
ENV APP_VERSION=${VERSION}
EXPOSE %{port}
USER 1000:1000
CMD ["npm", "start"]
"""
