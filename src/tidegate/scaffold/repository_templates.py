"""The texts of a new repository, apart from its applications'. Pure."""

README = """\
# %{repository}

Applications, and everything that carries a commit of one to where it runs:

- `apps/`: a folder for each application: its source, its Dockerfile and its manifests;
- `.github/workflows/`: a workflow for each, which builds and pushes its image;
- `%{cluster}/`: what is deployed, and how a new image's tag comes back into Git.

Another application: `tidegate new app NAME`. What is wrong here, and whether anything loops: `tidegate lint`.

## On one machine, with Tidegate

```sh
tidegate up --stand-in %{registry} --stand-in github.com --base python:3.11-slim=debian:bookworm
```

and in another terminal, here:

```sh
tidegate login
git remote add tidegate http://127.0.0.1:8420/git/%{owner}/%{repository}.git
git push tidegate %{branch}
```

## On GitHub, with Tidegate or Flux in a cluster

Push to `github.com/%{owner}/%{repository}`, let the cluster follow `%{cluster}`, and give it a key that may push. For
Flux that is `flux bootstrap … --path %{cluster} --read-write-key --components-extra
image-reflector-controller,image-automation-controller`, once `gotk-components.yaml`, which it writes, is named in
`%{cluster}/flux-system/kustomization.yaml`, which it keeps.
"""

SYNC = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m
  ref:
    branch: %{branch}
  url: https://github.com/%{owner}/%{repository}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m
  path: ./%{cluster}
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
"""

APPS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
"""

APPS_LIST = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
"""

FLUX_LIST = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - gotk-sync.yaml
  - image-automation.yaml
"""

AUTOMATION = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 1m
  sourceRef:
    kind: GitRepository
    name: flux-system
  git:
    checkout:
      ref:
        branch: %{branch}
    commit:
      author:
        name: Flux Image Automation
        email: flux@users.noreply.github.com
      messageTemplate: Update {{range .Changed.Changes}}{{.NewValue}} {{end}}
    push:
      branch: %{branch}
  update:
    path: ./apps
    strategy: Setters
"""
