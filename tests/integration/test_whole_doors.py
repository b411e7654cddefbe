"""Who shows no credential, a page of another site, and a job: what they can't do to a whole Tidegate."""

import asyncio
import json
import re
import secrets
import shutil
import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import NAME, OWNER, World
from whole_world import Doors, opened, path_of

from tidegate.base.process import minimal_environment, run

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
PROBE = ".github/workflows/probe.yaml"
ANNOTATION = b'{"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}'
PATCH = b'{"spec": {"suspend": true}}'
MERGE = {"Content_Type": "application/merge-patch+json"}
RUNNER = "/apis/tidegate.dev/v1alpha1/namespaces/flux-system/runners/acme-shop"
GITHUB = f"/api/v3/repos/{OWNER}/{NAME}"
OTHER_SITES = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(tmp_path_factory):
    """A Tidegate with a repository that deploys, and runs nothing as yet."""
    world = await World.make(tmp_path_factory.mktemp("doors"))
    async with opened(world) as doors:
        await doors.commit("Run nothing yet", {".github/workflows/image.yaml": None, "deploy/deployment.yaml": None})
        await doors.push()
        await doors.settled()
        yield doors


async def state(doors: Doors) -> tuple[object, ...]:
    """What nobody without a credential may change."""
    runner = await doors.client.get(RUNNER)
    source = await doors.client.get(path_of("GitRepository", "flux-system"))
    catalogue = sorted(path.name for path in (doors.world.home.registry / "repositories").glob("*/*"))
    hosted = sorted(path.name for path in doors.world.home.repositories.glob("*/*.git"))
    return (
        await doors.head(),
        *(found["metadata"].get("annotations") for found in (runner, source)),
        *(found["spec"] for found in (runner, source)),
        catalogue,
        hosted,
    )


@pytest.mark.parametrize("credential", ["", "tidegate:wrong@"], ids=["none", "a wrong one"])
async def test_a_push_needs_the_credential(doors, credential):
    before = await state(doors)
    await doors.commit("Without a credential", {"docs/readme.md": secrets.token_hex()})
    place = doors.url.replace("http://", f"http://{credential}") + f"/git/{OWNER}"
    for name in (NAME, "another"):
        argv = ["git", "-c", "credential.helper=", "-C", str(doors.world.clone), "push", f"{place}/{name}.git", "main"]
        env = minimal_environment({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
        done = await run(argv, env=env, check=False)
        assert done.exit_code != 0
        assert re.search("could not read Username|Authentication failed", done.stderr.decode())
    status, text = await doors.fetch(f"/git/{OWNER}/{NAME}.git/info/refs?service=git-receive-pack")
    assert (status, "a push needs a credential: `tidegate login`" in text) == (401, True)
    assert await state(doors) == before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["none", "a wrong one"])
@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "/v2/acme/web/blobs/uploads/", b"", {}),
        ("PUT", "/v2/acme/web/manifests/1.0.0", b"{}", {"Content_Type": "application/vnd.oci.image.index.v1+json"}),
        ("DELETE", "/v2/acme/web/manifests/1.0.0", None, {}),
        ("PATCH", RUNNER, PATCH, MERGE),
        ("PATCH", path_of("GitRepository", "flux-system"), ANNOTATION, MERGE),
        ("PUT", path_of("GitRepository", "flux-system"), b"{}", {}),
        ("DELETE", path_of("Kustomization", "shop"), None, {}),
        ("POST", "/api/v1/namespaces/default/configmaps", b"{}", {}),
        ("GET", "/api/v1/namespaces/flux-system/secrets", None, {}),
        ("GET", "/api/v1/secrets", None, {}),
    ],
)
async def test_every_write_and_every_secret_needs_the_credential(doors, method, path, body, kind, headers):
    before = await state(doors)
    status, text = await doors.fetch(path, method, body, **kind, **headers)
    assert status == 401, text
    assert "credential" in text or "authentication required" in text or "Unauthorized" in text
    assert await state(doors) == before


async def test_kubectl_can_read_and_not_annotate_without_the_credential(doors, tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: apt-get install kubernetes-client")
    before = await state(doors)
    env = minimal_environment({"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")})
    kubectl = ["kubectl", "--server", doors.url, "-n", "flux-system"]
    listed = await run([*kubectl, "get", "gitrepository"], env=env)
    assert "flux-system" in listed.text
    argv = [*kubectl, "annotate", "gitrepository", "flux-system", "reconcile.fluxcd.io/requestedAt=now"]
    done = await run([*argv, "--username=", "--password="], env=env, check=False)
    assert done.exit_code != 0
    assert await state(doors) == before


@pytest.mark.parametrize("site", OTHER_SITES, ids=str)
async def test_a_page_of_another_site_can_write_nothing_even_with_the_credential(doors, site):
    before = await state(doors)
    for method, path, body, kind in (
        ("PATCH", RUNNER, PATCH, MERGE),
        ("POST", "/v2/acme/web/blobs/uploads/", b"", {}),
        ("POST", f"/git/{OWNER}/{NAME}.git/git-receive-pack", b"0000", {}),
        ("POST", "/api/v1/namespaces/default/configmaps", b"{}", {"Content_Type": "text/plain"}),
        (
            "POST",
            f"{GITHUB}/actions/workflows/image.yaml/dispatches",
            b'{"ref": "main"}',
            {"Content_Type": "text/plain"},
        ),
    ):
        status, text = await doors.fetch(path, method, body, **kind, **site, **doors.credential)
        assert (status, "may not write here" in text) == (403, True), (path, text)
    assert await state(doors) == before


async def test_a_name_that_a_page_may_have_bound_to_us_is_refused(doors):
    for path in ("/", "/apis", "/v2/", RUNNER, GITHUB):
        status, text = await doors.fetch(path, Host="evil.example", **doors.credential)
        assert (status, "is not this server" in text) == (421, True), (path, text)


# Jobs

JOBS = """
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: echo "$TREASURE" >treasure.txt
        env: {{TREASURE: "{treasure}"}}
      - run: sleep 6
  two:
    runs-on: ubuntu-latest
    steps:
      - shell: python
        run: |
          import os, pathlib, socket, time, urllib.request
          def tried(what, call):
              try:
                  print(what, "LEAK", call())
              except (OSError, LookupError) as error:
                  print(what, "refused")
          def other():
              for folder, folders, names in os.walk("/"):
                  folders[:] = [name for name in folders if folder != "/" or name not in ("proc", "sys", "usr", "lib")]
                  if "treasure.txt" in names:
                      return folder
              raise LookupError
          for _ in range(3):
              tried("other", other)
              time.sleep(0.5)
          home = pathlib.Path({home!r})
          tried("token", lambda: (home / "token").read_text())
          tried("home", lambda: os.listdir(home))
          tried("store", lambda: (home / "store.db").read_bytes()[:16])
          tried("server", lambda: pathlib.Path("/proc/{pid}/environ").read_bytes())
          tried("signal", lambda: os.kill({pid}, 0))
          tried("door", lambda: urllib.request.urlopen("{url}/healthz", timeout=2).status)
          tried("port", lambda: socket.create_connection(("127.0.0.1", {port}), 2))
          tried("environment", lambda: [name for name in os.environ if "TIDEGATE" in name][0])
          print("looked everywhere")
"""


async def test_a_job_reads_neither_the_home_nor_another_job_nor_the_hosts_loopback(doors):
    treasure = secrets.token_hex(8)
    workflow = JOBS.format(
        treasure=treasure, home=str(doors.world.home.root), pid=doors.process.popen.pid, url=doors.url,
        port=doors.url.rpartition(":")[2],
    )  # fmt: skip
    await doors.client.merge(RUNNER, {"spec": {"maxJobs": 2}})
    commit = await doors.commit("Look around", {PROBE: workflow})
    said = await doors.push()
    assert re.search(r"probe\.yaml #1 .*: success", said), said
    (found,) = [one for one in doors.view.objects["WorkflowRun"] if one["spec"]["commit"] == commit]
    one, two = (next(job for job in found["status"]["jobs"] if job["id"] == name) for name in ("one", "two"))
    begun, ended = ([job[name] for job in (one, two)] for name in ("startedAt", "completedAt"))
    assert max(begun) < min(ended), "both were to run at once"
    log = await doors.tidegate("logs", found["metadata"]["name"])
    assert "looked everywhere" in log
    assert "LEAK" not in log.replace('print(what, "LEAK", call())', "")
    for what in ("token", "home", "store", "server", "signal", "door", "port", "environment", "other"):
        assert f"{what} refused" in log, what
    told = json.dumps([*doors.view.objects["WorkflowRun"], log])
    assert doors.world.home.token() not in told


async def test_all_of_that_left_the_doors_open_for_whoever_may(doors):
    assert (await doors.fetch("/healthz"))[0] == 200
    shown, tables = await asyncio.gather(doors.page(), doors.tidegate("get", "gitrepository"))
    assert "Tidegate" in shown
    assert "flux-system" in tables
