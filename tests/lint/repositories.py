"""Small repositories in the shape of the guide's, to look at with lint."""

import textwrap

from tidegate.base.files import MemoryFiles
from tidegate.lint.check import lint

FLUX = "clusters/my-cluster/flux-system/myapp.yaml"
WORKFLOW = ".github/workflows/myapp-ci.yaml"
DEPLOYMENT = "apps/myapp/deployment.yaml"

OBJECTS = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1m
  url: https://github.com/username/fleet
  ref:
    branch: main
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  path: ./apps/myapp
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata:
  name: myapp
  namespace: flux-system
spec:
  image: ghcr.io/username/myapp
  interval: 1m
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: myapp
  namespace: flux-system
spec:
  imageRepositoryRef:
    name: myapp
  policy:
    semver:
      range: ">=1.0.0"
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata:
  name: myapp
  namespace: flux-system
spec:
  interval: 1m
  sourceRef:
    kind: GitRepository
    name: flux-system
  git:
    commit:
      author:
        name: Flux
        email: flux@example.com
  update:
    path: ./apps/myapp
    strategy: Setters
"""

PATHS = """\
    paths:
      - 'apps/myapp/**'
      - '.github/workflows/myapp-ci.yaml'
"""

BUILD = """\
      - uses: docker/build-push-action@v5
        with:
          push: true
          tags: ghcr.io/username/myapp:1.0.${{ github.run_number }}
"""

DEPLOYED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: myapp, namespace: myapp}
spec:
  selector: {matchLabels: {app: myapp}}
  template:
    metadata: {labels: {app: myapp}}
    spec:
      containers:
        - name: myapp
          image: ghcr.io/username/myapp:1.0.0 # {"$imagepolicy": "flux-system:myapp"}
"""


def workflow(
    steps: str = BUILD, *, paths: str = PATHS, on: str | None = None, top: str = "", job: str = "", name: str = "MyApp"
) -> str:
    """A workflow that builds on a push to main."""
    events = on if on is not None else f"  push:\n    branches: [main]\n{paths}"
    return (
        f"name: {name}\non:\n{events}{top}"
        "permissions: {contents: read, packages: write}\n"
        f"jobs:\n  build:\n    runs-on: ubuntu-latest\n{job}    steps:\n{steps}"
    )


def files(**changed: str | None) -> dict[str, str]:
    """The repository of the guide's page on new applications; the names of changed files are keywords' (`flux`,
    `workflow`, `deployment`), None leaves one out.
    """
    texts = {
        FLUX: changed.get("flux", OBJECTS),
        WORKFLOW: changed.get("workflow", workflow()),
        DEPLOYMENT: changed.get("deployment", DEPLOYED),
    }
    return {path: text for path, text in texts.items() if text is not None}


def report(texts: dict[str, str]):
    """Lint's report on files given as texts."""
    return lint(MemoryFiles({path: text.encode() for path, text in texts.items()}))


def rules(texts: dict[str, str]) -> list[str]:
    """The ids of what lint finds."""
    return [finding.rule.id for finding in report(texts).findings]


def loops(texts: dict[str, str]) -> bool:
    """Whether lint says that the repository loops."""
    return any(f.rule.id == "feedback-loop" and f.level == "error" for f in report(texts).findings)


def steps(text: str) -> str:
    """Steps, indented as in a job."""
    return textwrap.indent(textwrap.dedent(text), "      ")
