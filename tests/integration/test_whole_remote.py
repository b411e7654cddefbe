"""`tidegate up --repo`: what a repository elsewhere says is run here, and what is selected here is committed there."""

import base64
import shutil
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import AUTOMATION, IMAGE, SRC, World
from git_host import PASSWORD, USER, GitHost, hosting
from small_image import PORT, push_image
from whole_world import Doors, opened, say

from tidegate.base.process import minimal_environment, run
from tidegate.engine.journey import URL
from tidegate.kinds.objects import annotation, key_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not installed: apt-get install perl-base"),
]
REPOSITORY = IMAGE.partition("/")[2]
SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: flux-system, namespace: flux-system}}
spec:
  interval: 2s
  ref: {{branch: main}}
  url: {url}
"""
SYNC = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop, namespace: flux-system}
spec:
  interval: 10m
  path: ./deploy
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""
IMAGES = f"""
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: web, namespace: flux-system}}
spec: {{image: {IMAGE}, interval: 1m}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: web, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: web}}
  policy: {{semver: {{range: ">=1.0.0"}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: shop, namespace: flux-system}}
spec:
  interval: 1m
  sourceRef: {{kind: GitRepository, name: flux-system}}
  git:
    checkout: {{ref: {{branch: main}}}}
    commit: {{author: {{name: {AUTOMATION}, email: gate@example.com}}}}
    push: {{branch: main}}
  update: {{path: ./deploy, strategy: Setters}}
"""
WORKLOAD = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: {IMAGE}:1.0.0 # {{"$imagepolicy": "flux-system:web"}}
          ports: [{{containerPort: {PORT}}}]
          readinessProbe: {{httpGet: {{path: /, port: {PORT}}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: {PORT}}}]
"""
SERVICES = (("", "Service"), ("", "Event"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def remote(tmp_path_factory):
    """A repository elsewhere with a workload, and a Tidegate that follows it."""
    folder = tmp_path_factory.mktemp("remote")
    with hosting(folder / "host") as host:
        host.commit(
            "Say what runs",
            {
                "clusters/home/source.yaml": SOURCE.format(url=host.url),
                "clusters/home/shop.yaml": SYNC,
                "deploy/web.yaml": WORKLOAD,
            },
        )
        arguments = ("--repo", host.url, "--branch", "main", "--path", "clusters/home")
        async with opened(World(folder), *arguments, kinds=SERVICES) as doors:
            yield host, doors


async def image(doors: Doors, tag: str, word: str) -> None:
    await push_image(doors.url, doors.world.home.token(), REPOSITORY, tag, word)


async def answers(doors: Doors, word: str) -> None:
    """Wait until the Service answers with a word."""
    await doors.until(f"the image of {word!r}", lambda _: len(doors.running_images()) == 1)
    await doors.answers(lambda: url_of(doors), word)


def url_of(doors: Doors) -> str | None:
    found = next((one for one in doors.view.objects["Service"] if key_of(one).name == "web"), None)
    return annotation(found, URL) if found else None


async def test_what_the_remote_says_runs_here(remote):
    host, doors = remote
    await image(doors, "1.0.0", "one")
    await answers(doors, "one")
    await doors.settled(host.head())


async def test_a_commit_there_is_picked_up(remote):
    host, doors = remote
    await image(doors, "1.0.1", "two")
    head = host.commit("Run 1.0.1", {"deploy/web.yaml": WORKLOAD.replace(f"{IMAGE}:1.0.0", f"{IMAGE}:1.0.1")})
    await doors.settled(head)
    await answers(doors, "two")


async def test_a_remote_that_is_gone_for_a_while_changes_nothing_and_is_found_again(remote):
    host, doors = remote
    moved = host.bare.with_name("elsewhere.git")
    host.bare.rename(moved)
    await doors.condition(
        "GitRepository", "flux-system", "False", host.url, "has no such repository", "look at the URL"
    )
    await answers(doors, "two")
    moved.rename(host.bare)
    await doors.condition("GitRepository", "flux-system", "True")


async def test_a_push_without_a_credential_is_refused_and_said(remote):
    host, doors = remote
    head = host.commit("Update images", {"clusters/home/images.yaml": IMAGES})
    await image(doors, "1.0.2", "three")
    await doors.condition("ImageUpdateAutomation", "shop", "False", host.url, "refused the credential", "secretRef")
    assert host.head() == head
    await answers(doors, "two")


async def test_with_its_secret_the_automation_pushes(remote):
    host, doors = remote
    fields = {"username": USER, "password": PASSWORD}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "remote", "namespace": "flux-system"},
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in fields.items()},
    }
    await doors.client.create("/api/v1/namespaces/flux-system/secrets", secret)
    source = SOURCE.format(url=host.url) + "  secretRef: {name: remote}\n"
    head = host.commit("Push with a credential", {"clusters/home/source.yaml": source})
    await doors.settled(head)
    await doors.reconcile("ImageUpdateAutomation", "shop")
    await answers(doors, "three")
    assert host.git("log", "-1", "--format=%an") == AUTOMATION
    assert host.git("rev-parse", "HEAD^") == head
    assert PASSWORD not in say(doors.view.objects)
    assert PASSWORD not in doors.process.log.read_text()


@pytest.mark.parametrize(
    ("moment", "tag", "word"),
    [("acme/shop.git/git-receive-pack", "1.0.3", "four"), ("acme/shop.git/git-receive-pack", "1.0.4", "five")],
    ids=["once", "and once more"],
)
async def test_whoever_pushes_first_loses_nothing_and_the_update_is_redone_on_top(remote, moment, tag, word):
    host, doors = remote
    before, theirs = host.head(), []
    host.once_before(moment, lambda: theirs.append(host.commit(f"Be first, {word}", {f"docs/{word}.md": word})))
    await image(doors, tag, word)
    await answers(doors, word)
    commits = host.git("log", "--format=%H %an", f"{before}..main").splitlines()
    assert [line.partition(" ")[2] for line in commits] == [AUTOMATION, "Somebody"]
    assert commits[1].startswith(theirs[0])
    assert host.git("show", f"main:docs/{word}.md") == word
    assert f"image: {IMAGE}:{tag} #" in host.git("show", "main:deploy/web.yaml")
    assert host.git("diff", "--numstat", "main^", "main") == "1\t1\tdeploy/web.yaml"
    assert host.git("rev-list", "--merges", "main") == ""
    told = [event for event in doors.view.objects["Event"] if event["reason"] == "PushRetry"]
    assert any("somebody pushed first" in event["message"] for event in told)
    every_move_was_forward(host)
    await doors.settled(host.head())


def every_move_was_forward(host: GitHost) -> None:
    moves = [line.split(" ")[:2] for line in (host.bare / "logs/refs/heads/main").read_text().splitlines()]
    assert len(moves) > 1
    for old, new in moves[1:]:
        host.git("merge-base", "--is-ancestor", old, new)


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"--repo": "{url}/nothing.git"}, "GitRepository", ("has no such repository", "look at the URL")),
        (
            {"--repo": "git@example.com:acme/shop.git"},
            "GitRepository",
            ("spec.url: 'git@example.com", "must match (http|https|ssh|file)://"),
        ),
        ({"--repo": "http://127.0.0.1:1/acme/shop.git"}, "GitRepository", ("can't be reached", "127.0.0.1")),
        ({"--branch": "trunk"}, "GitRepository", ("has no refs/heads/trunk", "push that branch")),
        ({"--path": "clusters/away"}, "Kustomization", ("there is no folder 'clusters/away'",)),
    ],
    ids=["no such repository", "no URL", "nobody there", "no such branch", "no such path"],
)
async def test_what_cannot_be_followed_is_said(remote, tmp_path, arguments, kind, says):
    host, _ = remote
    given = {"--repo": host.url, "--branch": "main", "--path": "clusters/home"} | arguments
    flat = [part.replace("{url}", host.url.rpartition("/")[0]) for pair in given.items() for part in pair]
    async with opened(World(tmp_path), *flat) as doors:
        await doors.condition(kind, "flux-system", "False", *says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--repo", "https://me:hunter2@example.com/x.git", "--path", "p"), "name a Secret in spec.secretRef"),
        (("--repo", "https://token@example.com/x.git", "--path", "p"), "holds a credential"),
    ],
)
async def test_what_can_never_be_followed_is_refused_before_anything_is_stored(tmp_path, arguments, says):
    argv = [sys.executable, "-m", "tidegate", "up", "--home", str(tmp_path / "home"), "--port", "0", *arguments]
    done = await run(argv, env=minimal_environment({"PYTHONPATH": str(SRC)}), check=False)
    said = done.stderr.decode()
    assert (done.exit_code, says in said) == (2, True), said
    assert "hunter2" not in said
    assert not (tmp_path / "home/store.db").exists()
